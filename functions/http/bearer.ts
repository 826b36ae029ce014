import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The token of an `Authorization: Bearer TOKEN` header. */
export const bearerOf = (header: string | undefined): string | undefined => header?.match(/^Bearer +(.+)$/i)?.[1];

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Compares in constant time, whatever the lengths. An empty secret never matches. */
export const sameToken = (given: string, token: string): boolean =>
  token !== '' && timingSafeEqual(digest(given), digest(token));

/** The digest that is stored of a secret: 256 random bits can't be guessed from it. */
export const digestOf = (secret: string): string => digest(secret).toString('base64url');

/** Makes a secret of 256 random bits; people and secret scanners recognise it by its `prefix`. */
export const newSecret = (prefix = ''): string => prefix + randomBytes(32).toString('base64url');
