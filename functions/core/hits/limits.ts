/** What a hit may have; lengths in characters. */
export const hitLimits = {
  /** Of a host name in its ASCII form (RFC 1035). */
  domain: 253,
  action: 64,
  id: 128,
  path: 2048,
  /** Hits that one request may carry. */
  perRequest: 10_000,
  /** Each day's sums are an object of their own: anybody may send hits, so nobody may open more days than this. */
  daysBack: 400,
};
