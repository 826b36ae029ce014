// A circuit breaker (M. Nygard, Release It!): while a service is down, calls to it fail at once instead of waiting.

/** After this many failed calls in a row the circuit opens. */
const failuresToOpen = 2;
/** Milliseconds that it stays open; then one call is let through, whose result closes or reopens it. */
const restMs = 3000;

export interface Circuit {
  /** Whether a call may be made; if so, its result must be reported. */
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
      // Other calls are refused until this one ends, or for the same time again if it never does.
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
