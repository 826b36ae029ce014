// Work is cut into chunks that every thread takes from a shared counter; a phase ends when all of its chunks are done.
// A thread that starts late finds less to do, and one that never starts delays no other.
import { BASE, FAILED, word } from './parameters';

/** The next chunk of the phase whose counters are there: chunks handed out, chunks done. */
@inline export function take(counters: usize): u32 {
  return atomic.add<u32>(counters, 1);
}

@inline export function finish(counters: usize, chunks: u32): void {
  if (atomic.add<u32>(counters, 1, 4) + 1 == chunks) atomic.notify(counters + 4, -1);
}

/** Waits for the chunks of other threads; returns false if another thread has failed. */
export function allDone(counters: usize, chunks: u32): bool {
  let spins = 0;
  for (let done = atomic.load<u32>(counters, 4); done < chunks; done = atomic.load<u32>(counters, 4)) {
    if (atomic.load<u32>(BASE + (FAILED << 2))) return false;
    if (++spins > 10000) atomic.wait<i32>(counters + 4, done, 10_000_000);
  }
  return true;
}
