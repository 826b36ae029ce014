import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The token of an `Authorization: Bearer TOKEN` header. */
export const bearerOf = (header: string | undefined): string | undefined => header?.match(/^Bearer +(.+)$/i)?.[1];

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Compared in constant time, whatever the lengths. A secret that is empty opens nothing. */
export const sameToken = (given: string, token: string): boolean =>
  token !== '' && timingSafeEqual(digest(given), digest(token));

/** What is kept of a secret: 256 random bits can't be guessed from it. */
export const digestOf = (secret: string): string => digest(secret).toString('base64url');

/** 256 random bits; by `prefix` people and secret scanners recognise it. */
export const newSecret = (prefix = ''): string => prefix + randomBytes(32).toString('base64url');
