// The failure destination of the local run: keeps whole discarded batches, encrypted, for one day.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KinesisStreamEvent } from 'aws-lambda';
import { openSeal } from '../stores/secrets/seal.ts';

/** Why a batch was given up, as Lambda names it. */
export type Condition = 'RetryAttemptsExhausted' | 'RecordAgeExceeded';

interface FailedBatch {
  condition: Condition;
  shard: string;
  retries: number;
  /** Milliseconds since the epoch. */
  failedAt: number;
  event: KinesisStreamEvent;
}

export interface Failures {
  keep(batch: FailedBatch): void;
  /** Removes batches older than a day; opening and adding do so, too. */
  expire(): void;
  /** Oldest first. */
  list(): FailedBatch[];
}

const keptMs = 86_400_000;
const ending = '.failed';

/** Opens (and makes) the folder. */
export function openFailures(folder: string, clock: () => number): Failures {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const seal = openSeal(folder);
  const names = () =>
    readdirSync(folder)
      .filter((name) => name.endsWith(ending))
      .sort();
  const expire = () => {
    for (const name of names()) if (Number(name.split('-')[0]) <= clock() - keptMs) rmSync(join(folder, name));
  };
  expire();
  return {
    keep(batch) {
      expire();
      const name = `${String(batch.failedAt).padStart(15, '0')}-${randomUUID()}${ending}`;
      writeFileSync(join(folder, name), seal.close(Buffer.from(JSON.stringify(batch)), name), {
        mode: 0o600,
        flush: true,
      });
    },
    expire,
    list: () => names().map((name) => JSON.parse(seal.open(readFileSync(join(folder, name)), name).toString())),
  };
}
