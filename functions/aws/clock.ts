// Time and chance, as a function has them: apart from the clients, so that who needs only these loads no SDK.
import { randomUUID } from 'node:crypto';

export const clock = () => Date.now();
export const newId = () => randomUUID();
