// Numbers and times as people read them.

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const dayName = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const moment = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

/** 19,996 */
export const count = (value: number) => whole.format(value);
/** 3.6M */
export const compact = (value: number) => short.format(value);
/** 1 domain, 2 domains */
export const plural = (value: number, one: string, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
/** With a capital. */
export const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
/** 12.3 kB, 12.3 MB, 4.5 GB */
export const bytes = (value: number) => {
  const [unit, name] = value < 1e5 ? [1e3, 'kB'] : value < 1e9 ? [1e6, 'MB'] : [1e9, 'GB'];
  return `${oneDigit.format(value / Number(unit))} ${name}`;
};
/** 4f53cda18c2b: enough of a digest to recognise it. */
export const shortDigest = (digest: string) => digest.slice(7, 19);
/** 21 Nov, of a UTC day or time. */
export const day = (time: string | number) => dayName.format(new Date(time));
/** Nov 21, 2026, 8:04 AM, in the reader's zone. */
export const full = (time: string | number) => moment.format(new Date(time));
/** 38 %, and never 0 % for a share that is there. */
export const percent = (share: number) =>
  share > 0 && share < 0.005 ? 'under 1 %' : `${Math.round(Math.min(share, 1) * 100)} %`;

const steps: [limitSeconds: number, unitSeconds: number, unit: string][] = [
  [60, 1, 's'],
  [3600, 60, 'min'],
  [86_400, 3600, 'h'],
  [86_400 * 60, 86_400, 'd'],
  [86_400 * 730, 86_400 * 30.44, 'mo'],
  [Number.POSITIVE_INFINITY, 86_400 * 365.25, 'y'],
];

/** A span: 4 min. */
export function span(seconds: number): string {
  const [, unitSeconds, unit] = steps.find(([limit]) => seconds < limit) ?? steps[0];
  return `${Math.floor(Math.max(0, seconds) / unitSeconds)} ${unit}`;
}

/** 4 min, where there is little room; "now" for a time ahead of this clock. */
export function since(time: string | number, now: number): string {
  const seconds = (now - new Date(time).getTime()) / 1000;
  return seconds < 5 ? 'now' : span(seconds);
}

/** 4 min ago. */
export function ago(time: string | number, now: number): string {
  const text = since(time, now);
  return text === 'now' ? text : `${text} ago`;
}

/** The UTC day, `daysBack` before now: 2026-11-21. */
export const utcDay = (now: number, daysBack = 0) => new Date(now - daysBack * 86_400_000).toISOString().slice(0, 10);
