// A small writer of MaxMind DB files (https://maxmind.github.io/MaxMind-DB/), for tests: 24-bit records, maps, texts,
// doubles and unsigned numbers.

type Value = string | number | { [key: string]: Value };

function control(type: number, size: number): number {
  if (size > 28) throw new Error('longer than this writer knows');
  return (type << 5) | size;
}

function field(value: Value, numberType: 'double' | 'uint' = 'double'): number[] {
  if (typeof value === 'string') {
    const text = [...new TextEncoder().encode(value)];
    return [control(2, text.length), ...text];
  }
  if (typeof value === 'object')
    return [
      control(7, Object.keys(value).length),
      ...Object.entries(value).flatMap(([key, item]) => [...field(key), ...field(item, numberType)]),
    ];
  const bytes = Buffer.alloc(numberType === 'double' ? 8 : 4);
  if (numberType === 'double') bytes.writeDoubleBE(value);
  else bytes.writeUInt32BE(value);
  return [control(numberType === 'double' ? 3 : 6, bytes.length), ...bytes];
}

type Node = [Node | number, Node | number];

/**
 * A database of networks: `bits` is a network's prefix in binary ('0101'); `same` makes one prefix an alias of another,
 * as MaxMind's files do for IPv4 in IPv6.
 */
export function writeMmdb(
  ipVersion: 4 | 6,
  networks: { bits: string; record: Value }[],
  same: { bits: string; as: string }[] = [],
): Buffer {
  const root: Node = [-1, -1];
  const data: number[] = [];
  const put = (bits: string, to: Node | number) => {
    let node = root;
    for (const bit of bits.slice(0, -1)) {
      if (typeof node[Number(bit)] === 'number') node[Number(bit)] = [-1, -1];
      node = node[Number(bit)] as Node;
    }
    node[Number(bits.at(-1))] = to;
  };
  for (const { bits, record } of networks) {
    put(bits, data.length);
    data.push(...field(record));
  }
  for (const { bits, as } of same)
    put(
      bits,
      [...as].reduce<Node | number>((node, bit) => (node as Node)[Number(bit)], root),
    );

  const nodes: Node[] = [];
  const number = (node: Node): void => {
    if (nodes.includes(node)) return;
    nodes.push(node);
    for (const child of node) if (typeof child !== 'number') number(child);
  };
  number(root);
  const record = (child: Node | number) =>
    typeof child !== 'number' ? nodes.indexOf(child) : child < 0 ? nodes.length : nodes.length + 16 + child;
  const tree = nodes.flatMap((node) =>
    node.flatMap((child) => [record(child) >>> 16, (record(child) >>> 8) & 255, record(child) & 255]),
  );
  const metadata = field(
    {
      node_count: nodes.length,
      record_size: 24,
      ip_version: ipVersion,
      database_type: 'Test-City',
      build_epoch: 1_780_000_000,
      binary_format_major_version: 2,
      binary_format_minor_version: 0,
    },
    'uint',
  );
  return Buffer.from([
    ...tree,
    ...Array(16).fill(0),
    ...data,
    0xab,
    0xcd,
    0xef,
    ...Buffer.from('MaxMind.com'),
    ...metadata,
  ]);
}

/** The first `length` bits of an address or network. */
export const bitsOf = (words: number[], size: 8 | 16, length: number): string =>
  words
    .map((word) => word.toString(2).padStart(size, '0'))
    .join('')
    .slice(0, length);
