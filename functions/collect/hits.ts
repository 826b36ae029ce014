import { withoutAddresses } from '#core/addresses.ts';
import { encodeHit, validateHit } from '#core/hits/hit.ts';
import { hitLimits } from '#core/hits/limits.ts';
import { badRequest } from '#http/errors.ts';
import { requestBounds } from './bounds.ts';

const { action: mostAction, perRequest: mostHits, daysBack: mostDaysBack } = hitLimits;

/**
 * The stream lines of a request's hits: one hit or an array of them. Hits of domains other than the owner's are
 * ignored. Throws a 400 that names the hit, the field and the fix; then none of the request's hits is accepted.
 */
export function readHits(
  text: string,
  address: string,
  now: number,
  isOwn: (domain: string) => boolean = () => true,
): { lines: string[]; ignored: number } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw badRequest(
      `the body is not JSON: ${(cause as Error).message}. Send {"domain": "portal.example"} or an array of such hits.`,
    );
  }
  const hits = Array.isArray(body) ? body : [body];
  if (hits.length > mostHits) throw badRequest(`${hits.length} hits in one request: send at most ${mostHits}.`);
  const bounded = requestBounds();
  const lines: string[] = [];
  const from = { address, now };
  const oldest = now - mostDaysBack * 86_400_000;
  for (let index = 0; index < hits.length; index++) {
    const read = validateHit(hits[index], from);
    if ('reason' in read) throw badRequest(Array.isArray(body) ? `hit ${index}: ${read.reason}` : read.reason);
    if (read.time < oldest)
      throw badRequest(
        `hit ${index}: time ${new Date(read.time).toISOString()} is more than ${mostDaysBack} days ago: bring older hits in with npm run import.`,
      );
    if (!isOwn(read.domain)) continue;
    // The hit belongs to this request alone, so it is not copied.
    read.action = withoutAddresses(read.action).slice(0, mostAction);
    lines.push(encodeHit(bounded(read)));
  }
  return { lines, ignored: hits.length - lines.length };
}
