import { createHash, timingSafeEqual } from 'node:crypto';

/** The token of an `Authorization: Bearer TOKEN` header. */
export const bearerOf = (header: string | undefined): string | undefined => header?.match(/^Bearer +(.+)$/i)?.[1];

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Compared in constant time, whatever the lengths. */
export const sameToken = (given: string, token: string): boolean => timingSafeEqual(digest(given), digest(token));
