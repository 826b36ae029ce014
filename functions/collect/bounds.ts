import type { HitLine } from '#core/event.ts';
import { domainMatcher } from '#core/hits/domain.ts';
import { hitLimits, other } from '#core/hits/limits.ts';

const { domainsPerRequest, daysPerRequest } = hitLimits;
const dayMs = 86_400_000;

/** The owner's domains; all domains if none is named. */
export function domainFilter(domains: string[]): (domain: string) => boolean {
  const own = domains.map(domainMatcher);
  return (domain) => own.length === 0 || own.some((isOwn) => isOwn(domain));
}

/** Counts a request's hits as `other` once it has more domains or days than allowed. */
export function requestBounds(): (hit: HitLine) => HitLine {
  const domains = new Set<string>();
  const days = new Set<number>();
  return (hit) => {
    const day = Math.floor(hit.time / dayMs);
    const fits = has(domains, hit.domain, domainsPerRequest);
    return has(days, day, daysPerRequest) && fits ? hit : { ...hit, domain: other };
  };
}

/** Whether the set has the value; adds it if there is room. */
function has<T>(set: Set<T>, one: T, most: number): boolean {
  if (set.has(one)) return true;
  if (set.size >= most) return false;
  set.add(one);
  return true;
}
