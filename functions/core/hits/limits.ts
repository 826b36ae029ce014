/** The limits of a hit; lengths are in characters. */
export const hitLimits = {
  /** Characters of a host name in its ASCII form (RFC 1035). */
  domain: 253,
  action: 64,
  id: 128,
  path: 2048,
  /** Hits that one request may carry. */
  perRequest: 10_000,
  /** The most days in the past: each day's sums are a separate object, and anybody may send hits. */
  daysBack: 400,
  /** Different domains, and days, in one request: hits of further ones are counted as `other`. */
  domainsPerRequest: 1000,
  daysPerRequest: 31,
  /** Different pairs of a domain and a day in one batch. */
  domainsPerBatch: 50_000,
  /**
   * If points are by location: cells of all pairs in a batch, and cells of a domain on the map. Hits in further cells
   * count as `other`: they count for their domain, but have no location.
   */
  cellsPerBatch: 100_000,
  cellsPerDomain: 50_000,
  /** Different pairs of an action and a day in one batch, and actions of a day. */
  actionsPerBatch: 50_000,
  actionsPerDay: 1000,
};

/** The domain or action that hits beyond the limits are counted for. */
export const other = 'other';
