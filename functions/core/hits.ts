// One UTC day's hits, by domain, country and action.
import type { Sums } from './delta.ts';

export class DaySums {
  readonly day: string;
  readonly #sums: Sums;
  private constructor(day: string, sums: Sums) {
    this.day = day;
    this.#sums = sums;
  }
  static empty(day: string): DaySums {
    return new DaySums(day, { domain: Object.create(null), country: Object.create(null), action: Object.create(null) });
  }
  static decode(bytes: Uint8Array): DaySums {
    const { day, sums } = JSON.parse(new TextDecoder().decode(bytes));
    const empty = DaySums.empty(day);
    empty.add(sums);
    return empty;
  }
  encode(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify({ day: this.day, sums: this.#sums }));
  }
  add(more: Sums): void {
    for (const by of ['domain', 'country', 'action'] as const)
      for (const [key, hits] of Object.entries(more[by])) this.#sums[by][key] = (this.#sums[by][key] ?? 0) + hits;
  }
  get total(): number {
    return Object.values(this.#sums.action).reduce((sum, hits) => sum + hits, 0);
  }
  /** Keys with their hits, most first, ties by key. */
  top(by: keyof Sums): [string, number][] {
    return Object.entries(this.#sums[by]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  }
}
