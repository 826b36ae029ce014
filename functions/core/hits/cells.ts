// If the map's points are by location, a point is a domain in a city-sized cell of a fixed grid. The grid does not
// change with the IP table.

/** The size of a cell in degrees: 28 km from north to south. */
const step = 0.25;
const columns = 360 / step;

/** The number of a location's cell, below 2^20. */
export function cellOf(lat: number, lon: number): number {
  const row = Math.min(180 / step - 1, Math.floor((lat + 90) / step));
  return row * columns + (Math.floor((lon + 180) / step) % columns);
}

/**
 * Numbers pairs of a domain's row and a cell in order of first occurrence: a hash table, linear probing, at most half
 * full.
 */
export class CellRows {
  count = 0;
  domains = new Int32Array(512);
  cells = new Int32Array(512);
  #slots = new Int32Array(1024);

  /** The table has room for this many pairs. Columns beside the table must grow with it. */
  get capacity(): number {
    return this.domains.length;
  }

  /** The number of a pair. A new pair gets the next number, the old `count`; -1 if there are `most` pairs already. */
  rowOf(domain: number, cell: number, most: number): number {
    let mask = this.#slots.length - 1;
    let slot = hash(domain, cell) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const row = this.#slots[slot] - 1;
      if (this.domains[row] === domain && this.cells[row] === cell) return row;
    }
    if (this.count >= most) return -1;
    const row = this.count++;
    if (row === this.capacity) {
      this.domains = longer(this.domains);
      this.cells = longer(this.cells);
    }
    this.domains[row] = domain;
    this.cells[row] = cell;
    this.#slots[slot] = row + 1;
    if (this.count * 2 <= this.#slots.length) return row;
    this.#slots = new Int32Array(this.#slots.length * 2);
    mask = this.#slots.length - 1;
    for (let held = 0; held < this.count; held++) {
      let at = hash(this.domains[held], this.cells[held]) & mask;
      while (this.#slots[at] !== 0) at = (at + 1) & mask;
      this.#slots[at] = held + 1;
    }
    return row;
  }
}

function longer(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(column.length * 2);
  grown.set(column);
  return grown;
}

function hash(domain: number, cell: number): number {
  const mixed = Math.imul(domain, 0x9e3779b1) ^ Math.imul(cell, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
