// Why posts of registries did not count, in words, and what to do.
import type { Reply } from '../api.ts';

export type Refused = Reply<'/v1/health'>['refused'][number];

const words: Record<Refused['reason'], string> = {
  'no-token': 'with no token (set the Authorization header)',
  'wrong-token': 'with a wrong token (the right one is where the server was started)',
  'unset-registry': 'whose token is valid, but the setting registries does not name it (add it, or fix the name)',
  'too-large': 'too large (let the registry send fewer events at once)',
  'not-json': 'not JSON (something on the way may change the body)',
  'unknown-host': 'for another host (let the proxy pass the host on)',
  'not-understood': 'not understood (the quarantine has them)',
  'stream-refused': 'while the stream accepted nothing (registries send them again)',
};

/** What was wrong with them, after "3 posts". */
export const refusedText = ({ reason, registry }: Refused) => `${registry ? `of ${registry} ` : ''}${words[reason]}`;
