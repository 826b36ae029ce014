// The map's state: each domain's newest place.
import { newest } from './delta.ts';

type Row = [domain: string, lat: number, lon: number, country: string, updatedAt: number];

export class PointsState {
  readonly #rows: Map<string, Row>;
  private constructor(rows: Map<string, Row>) {
    this.#rows = rows;
  }
  static empty(): PointsState {
    return new PointsState(new Map());
  }
  static decode(bytes: Uint8Array): PointsState {
    const rows = JSON.parse(new TextDecoder().decode(bytes)) as Row[];
    return new PointsState(new Map(rows.map((row) => [row[0], row])));
  }
  encode(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify([...this.#rows.values()]));
  }
  get size(): number {
    return this.#rows.size;
  }
  put(row: Row): void {
    newest(this.#rows, row);
  }
  /** Removes domains whose newest hit is older than `time` (ms); answers how many. */
  drop(time: number): number {
    const before = this.#rows.size;
    for (const [domain, row] of this.#rows) if (row[4] < time) this.#rows.delete(domain);
    return before - this.#rows.size;
  }
  rows(): Row[] {
    return [...this.#rows.values()];
  }
}
