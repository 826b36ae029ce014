// A function's clock and randomness, in a file without clients, so that code that needs only these loads no SDK.
import { randomUUID } from 'node:crypto';

export const clock = () => Date.now();
export const newId = () => randomUUID();
