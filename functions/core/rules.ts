// Rules: each sends an alert when something happens. The owner writes them in the settings.
import type { StoredEvent } from './event.ts';
import { defaultRegistry, imageText, partsOf } from './registry/name.ts';

export type Rule = { name: string } & (
  | {
      when: 'pushed';
      /** `*` stands for any run of characters: `team/*`. */
      repository: string;
      /** Left out: every registry. */
      registry?: string;
    }
  | { when: 'first-pull' }
  | { when: 'new-country' /** `*` stands for any run of characters; left out: every domain. */; domain?: string }
  | { when: 'hits-per-minute'; over: number }
);

/** An alert. The same rule and occurrence give the same `id`. */
export interface Alert {
  id: string;
  /** Milliseconds since the epoch. */
  time: number;
  rule: string;
  /** The kind of event that the rule is about, a reached limit, a digest of a storm, or the weekly report. */
  when: Rule['when'] | 'limit' | 'digest' | 'report';
  text: string;
  /** The values in the text. */
  data: {
    user?: string;
    repository?: string;
    registry?: string;
    tag?: string;
    domain?: string;
    country?: string;
    hits?: number;
    alerts?: number;
  };
}

/** An event that arrives more than this after it happened sends no alert, so that imports send none. */
export const alertReachMs = 3_600_000;

/** Many alerts of a rule within this time are a storm; those held back are summed up after it. */
export const stormMs = 3_600_000;
/** Alerts that were held back for longer, because nothing ran, are never sent. */
export const digestMs = 86_400_000;
const shownInDigest = 10;

/** Sums up alerts of one rule, oldest first; at least one. */
export function digestOf(alerts: Alert[]): Alert {
  const [{ id, rule, time }] = alerts;
  const since = new Date(time).toISOString().slice(0, 16).replace('T', ' ');
  const more = alerts.length - shownInDigest;
  const lines = [
    `${alerts.length} more ${alerts.length === 1 ? 'alert' : 'alerts'} of the rule "${rule}" since ${since} UTC:`,
    ...alerts.slice(0, shownInDigest).map(({ text }) => `- ${text}`),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
  return { id: `${id}-digest`, time, rule, when: 'digest', text: lines.join('\n'), data: { alerts: alerts.length } };
}

/** Returns whether a name matches a pattern, in which `*` stands for any characters. */
export const fits = (pattern: string, name: string): boolean => matcher(pattern)(name);

/** The same for many names. Takes time in proportion to a name's length, because strangers choose names. */
export function matcher(pattern: string): (name: string) => boolean {
  const [first, ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return (name) => name === first;
  return (name) => {
    if (!name.startsWith(first)) return false;
    let end = first.length;
    // Each part where it occurs first leaves the most for those after it.
    for (const part of parts) {
      const at = name.indexOf(part, end);
      if (at < 0) return false;
      end = at + part.length;
    }
    return name.length - last.length >= end && name.endsWith(last);
  };
}

/** A repository, with its registry if that has a name. */
function repositoryOf(key: string) {
  const { registry, repository } = partsOf(key);
  return { repository, ...(registry === defaultRegistry ? {} : { registry }) };
}

type Content = Omit<Alert, 'id' | 'rule'>;

export function pushedAlert({ time, user, repository, tag }: StoredEvent): Content {
  const by = user ? ` by ${user}` : '';
  const text = `${imageText(repository, tag ? `:${tag}` : '')} was pushed${by}`;
  const data = { ...repositoryOf(repository), ...(tag ? { tag } : {}), ...(user ? { user } : {}) };
  return { time, when: 'pushed', text, data };
}

export function firstPullAlert({ time, user, repository }: StoredEvent): Content {
  return {
    time,
    when: 'first-pull',
    text: `${user} pulls for the first time: ${imageText(repository)}`,
    data: { user, ...repositoryOf(repository) },
  };
}

export function newCountryAlert(time: number, domain: string, country: string): Content {
  const text = `${domain} has its first hit from ${country}`;
  return { time, when: 'new-country', text, data: { domain, country } };
}

export function moreAlert(when: Rule['when'], time: number): Content {
  return { time, when, text: 'This rule has more alerts in this hour: they are not sent', data: {} };
}

/** The alert that hits were counted as `other`: one a day, whichever process sends it. */
export const otherAlert = (day: string, time: number): Alert => ({
  id: `limit-other-${day}`,
  time,
  rule: 'limits',
  when: 'limit',
  text: 'Hits came for more domains than the limit: those of further domains are counted as "other". List your own domains in the setting domains.',
  data: {},
});

export function hitsAlert(time: number, hits: number, over: number): Content {
  const minute = new Date(time).toISOString().slice(0, 16).replace('T', ' ');
  const text = `${hits} hits so far in the minute ${minute} UTC, more than ${over}`;
  return { time, when: 'hits-per-minute', text, data: { hits } };
}
