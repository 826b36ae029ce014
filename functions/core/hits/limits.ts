/** What a hit may have; lengths in characters. */
export const hitLimits = {
  /** Characters of a host name in its ASCII form (RFC 1035). */
  domain: 253,
  action: 64,
  id: 128,
  path: 2048,
  /** Hits that one request may carry. */
  perRequest: 10_000,
  /** Each day's sums are an object of their own: anybody may send hits, so nobody may open more days than this. */
  daysBack: 400,
  /** Different domains, and days, of one request: hits of any more are counted as `other`. */
  domainsPerRequest: 1000,
  daysPerRequest: 31,
  /** Different pairs of a domain and a day of one batch. */
  domainsPerBatch: 50_000,
  /** Where points are by location: cells of a batch's pairs, and of a domain on the map. Hits in any more are `other`: counted for their domain, and not placed. */
  cellsPerBatch: 100_000,
  cellsPerDomain: 50_000,
  /** Different pairs of an action and a day of one batch, and actions of a day. */
  actionsPerBatch: 50_000,
  actionsPerDay: 1000,
};

/** The domain or action that hits are counted for when theirs is one too many. */
export const other = 'other';
