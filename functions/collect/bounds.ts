import type { HitLine } from '#core/event.ts';
import { hitLimits, other } from '#core/hits/limits.ts';
import { matcher } from '#core/rules.ts';

const { domainsPerRequest, daysPerRequest } = hitLimits;
const dayMs = 86_400_000;

/** The owner's own domains; all where none is named. */
export function domainFilter(domains: string[]): (domain: string) => boolean {
  const own = domains.map((pattern) => matcher(pattern.toLowerCase()));
  return (domain) => own.length === 0 || own.some((isOwn) => isOwn(domain));
}

/** Counts hits of a request as `other` from the domain or day on that is one too many. */
export function requestBounds(): (hit: HitLine) => HitLine {
  const domains = new Set<string>();
  const days = new Set<number>();
  return (hit) => {
    const day = Math.floor(hit.time / dayMs);
    if (domains.size < domainsPerRequest) domains.add(hit.domain);
    if (days.size < daysPerRequest) days.add(day);
    return domains.has(hit.domain) && days.has(day) ? hit : { ...hit, domain: other };
  };
}
