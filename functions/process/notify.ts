// Alerts, at most one for each rule and occurrence: process may see a record again, so only the first to claim an
// alert's key sends it. The claim comes before the alert; a crash between the two loses the alert, but never doubles
// it.
import { createHash } from 'node:crypto';
import type { StoredEvent } from '#core/event.ts';
import type { Delta } from '#core/hits/delta.ts';
import { domainMatcher } from '#core/hits/domain.ts';
import { inParallel } from '#core/parallel.ts';
import { partsOf } from '#core/registry/name.ts';
import { byTime, isManifestPull, isManifestPush } from '#core/registry/pull.ts';
import { coveredPushes, retryMs } from '#core/registry/push.ts';
import {
  type Alert,
  alertReachMs,
  firstPullAlert,
  fits,
  hitsAlert,
  moreAlert,
  newCountryAlert,
  pushedAlert,
  type Rule,
} from '#core/rules.ts';
import type { ClaimStore, EventStore } from '#core/stores.ts';

export interface NotifyOptions {
  rules: Rule[];
  claims: ClaimStore;
  events: Pick<EventStore, 'history' | 'events'>;
  /** A failure loses the alert. It is reported, and must not stop the shard. */
  send: (alert: Alert) => Promise<void>;
  /** A unique name to claim by. */
  newId: () => string;
  report: (cause: unknown) => void;
}

/** The events and hits of a batch. */
export interface Batch {
  shard: string;
  /** The sequence number that the batch starts after; with the shard it identifies the batch. */
  previous: string;
  /** Milliseconds since the epoch when the stream took the batch's last record. */
  arrivedAt: number;
  /** Registry events, already stored. */
  events: StoredEvent[];
  /** Each domain's newest location. A country that a domain had only within one batch may go unnoticed. */
  locations: () => Delta['locations'];
  /** Hits that were not late, by the minute of their arrival (milliseconds of its beginning). */
  hitsByMinute: Map<number, number>;
}

const knownPairs = 200_000;
/**
 * The most new pairs of domain and country that are checked; further ones are not reported, so that a flood of made-up
 * names costs nothing.
 */
const mostPairsABatch = 1000;
const mostPairsADay = 20_000;
const mostAlertsAnHour = 100;
/** How many users or events have their history read at the same time. */
const atOnce = 16;

/** Returns the function that is called with each batch before it is committed; undefined without rules. */
export function notifier(options: NotifyOptions): ((batch: Batch) => Promise<void>) | undefined {
  const { claims, events, send, newId, report } = options;
  const { rules } = options;
  /** Domains and countries that are known to be claimed: most batches have no others. */
  const known = new Set<string>();
  let looked = { day: 0, pairs: 0 };
  let sent = { hour: 0, alerts: 0 };
  const by = { pushed, 'first-pull': firstPull, 'new-country': newCountry, 'hits-per-minute': hits };
  if (rules.length === 0) return undefined;
  return async (batch) => {
    for (const rule of rules) await by[rule.when](rule as never, batch);
  };

  /** A tag, once however often its PUT was retried. An index's platforms have no tag, and signatures send no alert. */
  async function pushed(rule: Rule & { when: 'pushed' }, batch: Batch) {
    const pushes = batch.events.filter(
      (event) =>
        isManifestPush(event) &&
        event.tag &&
        event.class !== 'signature' &&
        isRecent(event.time, batch) &&
        isOf(rule, event.repository),
    );
    await inParallel(pushes, atOnce, async (event) => {
      const { id, time, user, repository } = event;
      const around = await events.events(user, repository, time - retryMs, time);
      if (!coveredPushes(around).has(id)) await tell(rule, id, pushedAlert(event));
    });
  }

  async function firstPull(rule: Rule & { when: 'first-pull' }, batch: Batch) {
    // Old pulls cause no alert, so that an import of the past reads no histories.
    const pulls = batch.events.filter(
      (event) => isManifestPull(event) && event.class === 'human' && event.user !== '' && isRecent(event.time, batch),
    );
    const byUser = [...Map.groupBy(pulls, (event) => event.user)];
    await inParallel(byUser, atOnce, async ([user, own]) => {
      if (known.has(keyOf(rule, `person ${user}`))) return;
      const ids = new Set(own.map(({ id }) => id));
      // A user who pulled before the rule was made is not new, and reading back a push is not a pull.
      const { items } = await events.history(user, { limit: own.length + 1 });
      const first = own.filter(({ id }) => items.some((pull) => pull.id === id)).sort(byTime)[0];
      if (items.length === 0) return;
      if (first && items.every(({ id }) => ids.has(id)))
        await tell(rule, `person ${user}`, firstPullAlert(first), user);
      note(keyOf(rule, `person ${user}`));
    });
  }

  /** Strangers choose the domains, so their claims are made together, and no more than the limits allow. */
  async function newCountry(rule: Rule & { when: 'new-country' }, batch: Batch) {
    const day = Math.floor(batch.arrivedAt / 86_400_000);
    if (day !== looked.day) looked = { day, pairs: 0 };
    const isMeant = domainMatcher(rule.domain ?? '*');
    const pairs = [];
    const met = new Set<string>();
    for (const [domain, , , country, time] of batch.locations()) {
      if (looked.pairs >= mostPairsADay || pairs.length >= mostPairsABatch) break;
      const pair = keyOf(rule, `${domain} ${country}`);
      // A domain may have several locations in a country.
      if (country === '' || known.has(pair) || met.has(pair) || !isMeant(domain)) continue;
      met.add(pair);
      pairs.push({ domain, country, time, pair });
      looked.pairs++;
    }
    if (pairs.length === 0) return;
    // The first country of a domain is its home and sends no alert; late hits are recorded, but send none either.
    const homes = await claims.claimAll(
      pairs.map(({ domain, country }) => ({ key: keyOf(rule, `home ${domain}`), by: country })),
    );
    const abroad = pairs.filter(({ country }, at) => homes[at] !== country).map((pair) => ({ ...pair, by: newId() }));
    const holders = await claims.claimAll(abroad.map(({ pair, by }) => ({ key: pair, by })));
    for (const [at, { domain, country, time, pair, by }] of abroad.entries())
      if (holders[at] === by && isRecent(time, batch))
        await deliver(rule, pair, newCountryAlert(time, domain, country), batch);
    for (const { pair } of pairs) note(pair);
  }

  async function hits(rule: Rule & { when: 'hits-per-minute' }, batch: Batch) {
    for (const [minute, count] of batch.hitsByMinute) {
      if (!isRecent(minute, batch)) continue;
      const sum = await claims.tally(keyOf(rule, String(minute)), `${batch.shard}:${batch.previous}`, count);
      if (sum > rule.over) await tell(rule, `over ${minute}`, hitsAlert(minute, sum, rule.over));
    }
  }

  async function tell(rule: Rule, happening: string, alert: Omit<Alert, 'id' | 'rule'>, person?: string) {
    const key = keyOf(rule, happening);
    const mine = newId();
    if ((await claims.claim(key, mine, person)) !== mine) return;
    await put(rule, key, alert);
  }

  /** Alerts that strangers can cause: at most so many an hour, then one that says that there are more. */
  async function deliver(rule: Rule, key: string, alert: Omit<Alert, 'id' | 'rule'>, { arrivedAt }: Batch) {
    const hour = Math.floor(arrivedAt / 3_600_000);
    if (hour !== sent.hour) sent = { hour, alerts: 0 };
    sent.alerts++;
    if (sent.alerts <= mostAlertsAnHour) return put(rule, key, alert);
    if (sent.alerts === mostAlertsAnHour + 1) await tell(rule, `more ${hour}`, moreAlert(rule.when, arrivedAt));
  }

  async function put(rule: Rule, key: string, alert: Omit<Alert, 'id' | 'rule'>) {
    const id = createHash('sha256').update(key).digest('base64url').slice(0, 22);
    await send({ id, rule: rule.name, ...alert }).catch(report);
  }

  function note(text: string) {
    if (known.size >= knownPairs) known.clear();
    known.add(text);
  }
}

function isOf({ registry, repository }: Rule & { when: 'pushed' }, key: string): boolean {
  const pushed = partsOf(key);
  return fits(repository, pushed.repository) && (registry === undefined || registry === pushed.registry);
}

const keyOf = (rule: Rule, happening: string) => JSON.stringify([rule.name, happening]);
const isRecent = (time: number, { arrivedAt }: Batch) => time > arrivedAt - alertReachMs;
