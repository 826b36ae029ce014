// node --import test/support/clock.ts: the clock of a process and its threads is WHALEWATCH_CLOCK_OFFSET milliseconds
// ahead. Stored data ages: with this, a test finds old data equally old on any day.
const offset = Number(process.env.WHALEWATCH_CLOCK_OFFSET ?? 0);
const now = Date.now.bind(Date);

Date.now = () => now() + offset;
globalThis.Date = new Proxy(Date, {
  construct: (real, given) => Reflect.construct(real, given.length === 0 ? [real.now()] : given),
});

/** The environment of a process that starts at `time`, in milliseconds since the epoch. */
export const startingAt = (time: number) => ({
  NODE_OPTIONS: `--import ${import.meta.url}`,
  WHALEWATCH_CLOCK_OFFSET: String(time - now()),
});
