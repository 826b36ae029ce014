// Who pulled what and how often, as a list of entries, of which there may be millions.

export interface Entry {
  user: number;
  item: number;
  value: number;
  /** Milliseconds since the epoch; missing if no entry has a time. */
  firstPull?: number;
}

/** Entries in their order: an array, or columns where there may be millions. */
export interface Entries extends Iterable<Entry> {
  readonly length: number;
  /** `visit` gets the same object each time where entries are columns: it must not keep it. So does `keep`. */
  forEach(visit: (entry: Entry, index: number) => void): void;
  filter(keep: (entry: Entry, index: number) => boolean): Entries;
}

/** All entries, not a part of them: each can be read by its index. */
export interface AllEntries extends Entries {
  at(index: number): Entry | undefined;
}

/** Entries in one block of columns: a power of two. */
const blockLength = 1 << 17;

type Column = Uint16Array | Uint32Array | Float64Array;

/** Columns of entries; `firstPulls` has NaN where the time is missing. */
interface Block {
  users: Column;
  items: Column;
  values: Column;
  firstPulls: Column;
}

/** The numbers in the smallest type that holds them exactly. */
function smallest(numbers: Float64Array): Column {
  let most = 0;
  for (const number of numbers) {
    if (!(Number.isInteger(number) && number >= 0)) return numbers.slice();
    if (number > most) most = number;
  }
  if (most < 2 ** 16) return Uint16Array.from(numbers);
  return most < 2 ** 32 ? Uint32Array.from(numbers) : numbers.slice();
}

function read({ users, items, values, firstPulls }: Block, at: number, entry: Entry): Entry {
  entry.user = users[at];
  entry.item = items[at];
  entry.value = values[at];
  const firstPull = firstPulls[at];
  entry.firstPull = Number.isNaN(firstPull) ? undefined : firstPull;
  return entry;
}

const blank: Entry = { user: 0, item: 0, value: 0, firstPull: 0 };

/** 14 to 20 bytes an entry, where an object has 90. A part of them is a bit for each entry of all. */
class EntryColumns implements AllEntries {
  readonly length: number;
  readonly #blocks: Block[];
  /** One bit for each entry of the blocks: whether it is in this part; undefined: all are. */
  readonly #bits?: Uint8Array;

  constructor(blocks: Block[], length: number, bits?: Uint8Array) {
    this.#blocks = blocks;
    this.length = length;
    this.#bits = bits;
  }

  at(index: number): Entry | undefined {
    return index < this.length
      ? read(this.#blocks[Math.floor(index / blockLength)], index % blockLength, { ...blank })
      : undefined;
  }

  forEach(visit: (entry: Entry, index: number) => void): void {
    this.#walk((entry, index) => visit(entry, index));
  }

  filter(keep: (entry: Entry, index: number) => boolean): Entries {
    const bits = new Uint8Array(Math.ceil((this.#blocks.length * blockLength) / 8));
    let kept = 0;
    this.#walk((entry, index, place) => {
      if (!keep(entry, index)) return;
      bits[place >> 3] |= 1 << (place & 7);
      kept++;
    });
    return new EntryColumns(this.#blocks, kept, bits);
  }

  *[Symbol.iterator](): IterableIterator<Entry> {
    for (const [first, block] of this.#blocks.entries())
      for (let at = 0; at < block.users.length; at++)
        if (this.#has(first * blockLength + at)) yield read(block, at, { ...blank });
  }

  #walk(visit: (entry: Entry, index: number, place: number) => void): void {
    const entry = { ...blank };
    let index = 0;
    for (const [first, block] of this.#blocks.entries())
      for (let at = 0; at < block.users.length; at++) {
        const place = first * blockLength + at;
        if (this.#has(place)) visit(read(block, at, entry), index++, place);
      }
  }

  #has(place: number): boolean {
    return this.#bits === undefined || (this.#bits[place >> 3] & (1 << (place & 7))) !== 0;
  }
}

/** Collects entries in columns. */
export function collecting(): { add: (entry: Entry) => void; entries: () => AllEntries } {
  const blocks: Block[] = [];
  const blankColumn = () => new Float64Array(blockLength);
  const open = { users: blankColumn(), items: blankColumn(), values: blankColumn(), firstPulls: blankColumn() };
  let length = 0;
  const closed = (): Block => {
    const column = (numbers: Float64Array) => smallest(numbers.subarray(0, length));
    return {
      ...{ users: column(open.users), items: column(open.items) },
      ...{ values: column(open.values), firstPulls: column(open.firstPulls) },
    };
  };
  return {
    add({ user, item, value, firstPull = Number.NaN }) {
      open.users[length] = user;
      open.items[length] = item;
      open.values[length] = value;
      open.firstPulls[length++] = firstPull;
      if (length < blockLength) return;
      blocks.push(closed());
      length = 0;
    },
    entries: () => new EntryColumns([...blocks, closed()], blocks.length * blockLength + length),
  };
}
