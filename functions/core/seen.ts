// Ids seen within the last hour: a hit that carries an id counts once.

/** How long a repeated id is known as such. */
export const seenMs = 3_600_000;

export class Seen {
  readonly #arrived: Map<string, number>;
  private constructor(arrived: Map<string, number>) {
    this.#arrived = arrived;
  }
  static empty(): Seen {
    return new Seen(new Map());
  }
  static decode(bytes: Uint8Array): Seen {
    return new Seen(new Map(JSON.parse(new TextDecoder().decode(bytes))));
  }
  encode(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify([...this.#arrived]));
  }
  /** True when the id is new. */
  add(id: string, arrivedAt: number): boolean {
    if (this.#arrived.has(id)) return false;
    this.#arrived.set(id, arrivedAt);
    return true;
  }
  expire(now: number): void {
    for (const [id, arrivedAt] of this.#arrived) if (arrivedAt < now - seenMs) this.#arrived.delete(id);
  }
}
