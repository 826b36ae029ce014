// Finds the registry that posts: its token identifies it, never the body.
import { defaultRegistry, type Registry } from '#core/registry/name.ts';
import type { CredentialStore } from '#core/stores.ts';
import { digestOf, sameToken } from '#http/bearer.ts';

export interface SenderOptions {
  /** The default registry's first token. */
  token: () => Promise<string>;
  /** The store with the digests of all other tokens. */
  credentials?: Pick<CredentialStore, 'find' | 'used'>;
  /** The named registries. */
  registries?: Registry[];
  clock: () => number;
}

/** The registry that a token belongs to; `registry` is missing if the settings don't name it. */
export interface Sender {
  name: string;
  registry?: Registry;
}

/** A token's last use is recorded at most once a minute. */
const notedEveryMs = 60_000;

/**
 * Returns a function that finds the sender of a token; undefined if nobody has it. New and ended tokens take effect
 * at once.
 */
export function senders({ token, credentials, registries = [], clock }: SenderOptions) {
  const byName = new Map([{ name: defaultRegistry }, ...registries].map((one): [string, Registry] => [one.name, one]));

  return async (given: string): Promise<Sender | undefined> => {
    if (sameToken(given, await token())) return { name: defaultRegistry, registry: byName.get(defaultRegistry) };
    const digest = digestOf(given);
    const found = await credentials?.find('registry', digest);
    if (!found) return undefined;
    const registry = byName.get(found.name);
    if (registry && clock() - (found.usedAt ?? 0) >= notedEveryMs) await credentials?.used('registry', digest, clock());
    return { name: found.name, registry };
  };
}
