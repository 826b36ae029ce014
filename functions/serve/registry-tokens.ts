// The webhook tokens of registries. Two tokens of a registry may be valid at a time, so that it can change from one to
// the next without a refused post. Only digests are stored.
import { defaultRegistry } from '#core/registry/name.ts';
import type { Credential, CredentialStore } from '#core/stores.ts';
import { digestOf, newSecret } from '#http/bearer.ts';

export type TokenStore = Pick<CredentialStore, 'put' | 'list' | 'remove'>;

/** Thrown if a request is not possible now; the message says what to do first. */
export class TokenRefused extends Error {
  override name = 'TokenRefused';
}

const mostTokens = 2;

/** A token's public id: the beginning of its digest. */
export const tokenId = ({ digest }: Credential): string => digest.slice(0, 12);

/** A registry's tokens, oldest first. */
export const tokensOf = async (store: Pick<TokenStore, 'list'>, registry: string): Promise<Credential[]> =>
  (await store.list('registry')).filter(({ name }) => name === registry);

/** Makes a further token. Throws TokenRefused if there are two already. */
export async function addToken(store: TokenStore, registry: string, now: number) {
  const held = await tokensOf(store, registry);
  if (held.length >= mostTokens)
    throw new TokenRefused(
      `${registry} has ${held.length} tokens, ${held.map(tokenId).join(' and ')}: end the one that the registry no longer sends`,
    );
  const token = newSecret('wr_');
  const credential: Credential = { kind: 'registry', name: registry, digest: digestOf(token), createdAt: now };
  await store.put(credential);
  return { token, credential };
}

/**
 * Makes the next token; the previous one stays valid. If there are two, the older one ends, provided that the newer was
 * used, which shows that the registry has switched. Otherwise throws TokenRefused.
 */
export async function rotateToken(store: TokenStore, registry: string, now: number) {
  const held = await tokensOf(store, registry);
  if (held.length >= mostTokens) {
    const [older, newer] = held;
    if (newer.usedAt === undefined || newer.usedAt < (older.usedAt ?? 0) - notedMs)
      throw new TokenRefused(
        `${registry} still sends its token ${tokenId(older)}, and has not sent ${tokenId(newer)} yet: give it that one first, or end it and make another`,
      );
    await store.remove('registry', older.digest);
  }
  return addToken(store, registry, now);
}

/** Last uses are recorded once a minute. */
const notedMs = 60_000;

/** Ends a token at once; undefined if the registry has none with that id. */
export async function endToken(store: TokenStore, registry: string, id: string): Promise<Credential | undefined> {
  const found = (await tokensOf(store, registry)).find((credential) => tokenId(credential) === id);
  return found && (await store.remove('registry', found.digest)) ? found : undefined;
}

/** Names of all registries: the default one, and those of the settings. */
export const registryNames = (registries: { name: string }[]): string[] => [
  defaultRegistry,
  ...registries.map(({ name }) => name),
];
