// Forgets a user in every store that has data about users. docs/deploy.md, "Forgetting a user", says what is removed.
import { inParallel } from './parallel.ts';
import type { AlertFeed, CredentialStore, EventStore, SearchStore } from './stores.ts';

export interface PeopleStores {
  events: Pick<EventStore, 'forget' | 'markForgotten' | 'forgotten'>;
  search: Pick<SearchStore, 'forget'>;
  /** The alerts, if alerts are kept. */
  alerts?: Pick<AlertFeed, 'forget'>;
  /** Sessions and tokens, if people sign in. */
  credentials?: Pick<CredentialStore, 'forget'>;
}

/**
 * Forgets a user, including their events that are on the way. The mark is put first: a batch that stored their events
 * before the mark stored them before the removal, and any other batch sees the mark when it checks after storing
 * (process/forgotten.ts). Returns how many rows were deleted.
 */
export async function forgetPerson(stores: PeopleStores, user: string, now: number): Promise<number> {
  await stores.events.markForgotten(user, now);
  return removePerson(stores, user);
}

/** Removes what is stored about a user. `repositories`: further ones that may have events not listed yet. */
export async function removePerson(
  { events, search, alerts, credentials }: PeopleStores,
  user: string,
  repositories: string[] = [],
): Promise<number> {
  // Older versions did not normalise the spelling of names with accents.
  const names = [...new Set([user, user.normalize('NFC'), user.normalize('NFD')])];
  // Side by side: on one machine each store reads its whole file, so that nothing of the user is left in it.
  const stores = [
    (name: string) => events.forget(name, repositories),
    (name: string) => search.forget(name),
    async (name: string) => ((await alerts?.forget(name)) ?? 0) + ((await credentials?.forget(name)) ?? 0),
  ];
  const removed = await inParallel(stores, stores.length, async (forget) => {
    let rows = 0;
    for (const name of names) rows += (await forget(name)) ?? 0;
    return rows;
  });
  return removed.reduce((sum, rows) => sum + rows, 0);
}
