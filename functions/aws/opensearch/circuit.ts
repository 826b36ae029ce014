// The circuit breaker (M. Nygard, Release It!): while a service is down, callers fail at once instead of waiting for it.

/** So many calls in a row that failed open the circuit. */
const failuresToOpen = 2;
/** Milliseconds that it stays open; then one call is let through, whose end decides. */
const restMs = 3000;

export interface Circuit {
  /** Whether a call may be made; of one that may, the end must be reported. */
  lets(): boolean;
  succeeded(): void;
  failed(): void;
}

/** `monotonic`: milliseconds, of a clock that never goes back. */
export function openCircuit(monotonic: () => number = () => performance.now()): Circuit {
  let failures = 0;
  let closesAt = 0;
  return {
    lets() {
      if (failures < failuresToOpen) return true;
      if (monotonic() < closesAt) return false;
      // The others wait for what becomes of this one, or as long again if it never ends.
      closesAt = monotonic() + restMs;
      return true;
    },
    succeeded() {
      failures = 0;
    },
    failed() {
      failures++;
      closesAt = monotonic() + restMs;
    },
  };
}
