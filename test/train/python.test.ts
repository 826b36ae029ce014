// Python reads what we export, and we read what Python writes: with its csv and json modules, and with NumPy if
// installed; otherwise the .npy header is parsed as a Python literal, as the format specifies.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encodeNpy } from '#core/recommender/npy.ts';
import type { Pair } from '#core/stores.ts';
import { pairHead, pairLine, readPairs } from '#train/pairs.ts';
import { decodeNpy } from '../support/npy.ts';

const ofBench = join(import.meta.dirname, '../../.venv/bench/bin/python');
const python = existsSync(ofBench) ? ofBench : 'python3';
const skip = spawnSync(python, ['--version']).status !== 0 && 'python3 is not installed';
const folder = mkdtempSync(join(tmpdir(), 'whalewatch-python-'));
after(() => rmSync(folder, { recursive: true }));

function run(script: string): string {
  const { status, stdout, stderr } = spawnSync(python, ['-c', script], { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

const names = [
  'ann',
  'with, comma',
  'a "quoted" one',
  'two\nlines',
  'ü 猫 😀',
  "it's",
  ' padded ',
  '=1+1',
  'a\tb',
  '\\n',
];
const pairs = names.map(
  (name, at): Pair => ({
    ...{ user: name, repository: names.at(-1 - at)!, pulls: at + 1, days: at + 1 },
    ...{ firstPull: at * 86_400_000, lastPull: at * 86_400_123 },
  }),
);

test("pairs survive a round trip through Python's csv and json modules", { skip }, () => {
  for (const format of ['csv', 'ndjson'] as const)
    writeFileSync(
      join(folder, `pairs.${format}`),
      pairHead(format) + pairs.map((pair) => pairLine(pair, format)).join(''),
    );
  const rows = JSON.parse(
    run(`
import csv, json
with open("pairs.csv", encoding="utf-8", newline="") as file: rows = list(csv.DictReader(file))
with open("pairs.ndjson", encoding="utf-8") as file: same = [json.loads(line) for line in file]
for row in rows: row["pulls"], row["days"] = int(row["pulls"]), int(row["days"])
assert rows == same, (rows, same)
with open("back.csv", "w", encoding="utf-8", newline="") as file:
  writer = csv.DictWriter(file, rows[0].keys(), quoting=csv.QUOTE_ALL)
  writer.writeheader()
  writer.writerows(rows)
with open("back.ndjson", "w", encoding="utf-8") as file:
  for row in rows: file.write(json.dumps(row) + "\\n")
print(json.dumps(rows))`),
  );
  assert.deepEqual(
    rows,
    pairs.map((pair) => ({
      ...pair,
      firstPull: new Date(pair.firstPull).toISOString(),
      lastPull: new Date(pair.lastPull).toISOString(),
    })),
  );
  for (const format of ['csv', 'ndjson'] as const)
    assert.deepEqual(readPairs(readFileSync(join(folder, `back.${format}`), 'utf8'), format), pairs);
});

test('factors survive a round trip through Python bit for bit', { skip }, () => {
  const values = Float32Array.of(0, -0, 1 / 3, -1e-45, 3.4e38, 2 ** -149, 7);
  for (const [rows, columns] of [
    [7, 1],
    [1, 7],
    [0, 3],
  ]) {
    const matrix = values.subarray(0, rows * columns);
    writeFileSync(join(folder, 'factors.npy'), encodeNpy(matrix, rows, columns));
    const shape = run(`
import ast, struct
data = open("factors.npy", "rb").read()
try: import numpy
except ImportError: numpy = None
if numpy:
  read = numpy.load("factors.npy", allow_pickle=False)
  assert read.dtype == numpy.float32 and read.flags.c_contiguous
  numpy.save("back.npy", read)
  print(*read.shape)
else:
  assert data[:8] == b"\\x93NUMPY\\x01\\x00"
  (length,) = struct.unpack("<H", data[8:10])
  head = ast.literal_eval(data[10:10 + length].decode("latin1"))
  assert (10 + length) % 64 == 0 and data[9 + length] == 10
  assert head["descr"] == "<f4" and head["fortran_order"] is False and len(head) == 3
  rows, columns = head["shape"]
  numbers = struct.unpack(f"<{rows * columns}f", data[10 + length:])
  # As NumPy writes it: padded by spaces to a multiple of 64.
  text = repr({"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}).replace("}", ", }").encode()
  text += b" " * (-(len(text) + 11) % 64) + b"\\n"
  open("back.npy", "wb").write(data[:8] + struct.pack("<H", len(text)) + text + struct.pack(f"<{len(numbers)}f", *numbers))
  print(rows, columns)`);
    assert.equal(shape.trim(), `${rows} ${columns}`);
    const back = decodeNpy(readFileSync(join(folder, 'back.npy')));
    assert.deepEqual([back.rows, back.columns], [rows, columns]);
    assert.deepEqual(new Uint32Array(back.values.buffer), new Uint32Array(matrix.slice().buffer));
  }
});
