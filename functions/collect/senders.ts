// Which registry posts: its token says so, nothing in the body does.
import { defaultRegistry, type Registry } from '#core/registry/name.ts';
import type { CredentialStore } from '#core/stores.ts';
import { digestOf, sameToken } from '#http/bearer.ts';

export interface SenderOptions {
  /** The token that the default registry has from the beginning. */
  token: () => Promise<string>;
  /** Where digests of the tokens are that were made since. */
  credentials?: Pick<CredentialStore, 'find' | 'used'>;
  /** Those with names. */
  registries?: Registry[];
  clock: () => number;
}

/** A token's last use is noted once a minute. */
const notedEveryMs = 60_000;

/** Makes what returns the registry that a token belongs to, undefined when it is nobody's. Tokens made or ended count at once. */
export function senders({ token, credentials, registries = [], clock }: SenderOptions) {
  const byName = new Map([{ name: defaultRegistry }, ...registries].map((one): [string, Registry] => [one.name, one]));

  return async (given: string): Promise<Registry | undefined> => {
    if (sameToken(given, await token())) return byName.get(defaultRegistry);
    const digest = digestOf(given);
    const found = await credentials?.find('registry', digest);
    const registry = found && byName.get(found.name);
    if (registry && clock() - (found.usedAt ?? 0) >= notedEveryMs) await credentials?.used('registry', digest, clock());
    return registry;
  };
}
