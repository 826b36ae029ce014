// Time and chance of a function: in a file without clients, so that what needs only these loads no SDK.
import { randomUUID } from 'node:crypto';

export const clock = () => Date.now();
export const newId = () => randomUUID();
