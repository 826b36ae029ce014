// The parameter block, which the host writes before the first thread starts and every thread reads. This list defines
// it for both sides: `word` and `side` for the host, and the constants that the kernel's source imports. Addresses and
// sizes are bytes unless said otherwise.

/** The address of the block in bytes. */
export const blockAt = 1024;

/** Name, number of four-byte words, and meaning. */
const block = [
  ['lambda', 2, 'f64: first, so that it is at a multiple of 8.'],
  ['alpha', 2, 'f64'],
  ['rank', 1],
  ['stride', 1, 'Floats from one row of factors to the next: the rank rounded up to whole vectors, the rest zero.'],
  ['halfSteps', 1, 'Users first, then items, alternating.'],
  ['solver', 1, '0 exact, 1 conjugate gradients.'],
  ['weighted', 1, "1: lambda is multiplied by the number of a row's entries, as in Spark."],
  ['steps', 1, 'Steps of conjugate gradients.'],
  ['phases', 1, 'Two u32 per phase: chunks handed out, chunks done.'],
  ['gramParts', 1],
  ['gram', 1],
  ['lower', 1, "L of the other side's Gram matrix and lambda."],
  ['inverse', 1, 'L^-1.'],
  ['whitener', 1, "L^-1's transpose."],
  ['whitened', 1, "L^-1 y for each of the other side's rows."],
  ['scratch', 1],
  ['scratchBytes', 1],
  ['failed', 1],
  ['zeros', 1, 'A row of zeros, for groups of four that have run out of entries.'],
  ['gramDouble', 1, 'The whole Gram matrix in f64, lower triangle.'],
  ['identity', 1],
  ['lanes', 1, '1: four rows at once, each in a lane.'],
  // Parameters of lists for everybody (top.ts).
  ['listLength', 1],
  ['head', 1, 'The number of factor columns that are multiplied for all items, a multiple of 8.'],
  ['turn', 1, 'The matrix that rotates factors so that most of their length is in the head; in panels.'],
  ['heads', 1, 'Items by descending length in blocks of eight: the heads in a panel.'],
  ['tails', 1, 'The lengths of the eight tails.'],
  ['lengths', 1, "Lengths of the items' factors in that order."],
  ['listed', 1, 'Entries of the result, one user after the other.'],
  ['users', 16, 'A side.'],
  ['items', 16, 'A side.'],
  ['listItems', 1],
  ['listScores', 1],
  ['places', 1, 'For each item, its position among the items by descending length.'],
  // Parameters of the layout (layout.as).
  ['counts', 1, "A count of each item's entries for each piece."],
  ['invalid', 1, 'A word a piece.'],
  [
    'precise',
    1,
    'A word per half step: 1 if the Gram matrix is summed in double precision. A late thread may still read an earlier one.',
  ],
  // Parameters of weights between items (blocks.as).
  ['square', 1, 'Row-major square, or blocks.'],
  ['width', 1, 'Floats from one row of the row-major square to the next.'],
  ['blocks', 1, 'Blocks to a side.'],
  ['scales', 1, 'An f32 per item: the factor of its row and column.'],
  ['ridges', 1, 'An f32 per item, added to the diagonal before scaling.'],
  ['diagonals', 1, 'Diagonal blocks of the inverse.'],
  ['unsound', 1, '1 if a pivot was too small for single precision.'],
  [
    'near',
    1,
    'The most weights to an item; from which items, and the weights. For the regressions, how many of them too.',
  ],
  ['nearItems', 1],
  ['nearWeights', 1],
  ['nearCounts', 1],
] as const;

/** Parameters of one side, from `users` or `items` on. */
const sideBlock = [
  ['rows', 1],
  ['starts', 1],
  ['columns', 1],
  ['values', 1],
  ['order', 1, 'For lists, items by descending length of their factors.'],
  ['chunkStarts', 1, 'Rows where a chunk of work starts, and one more.'],
  ['chunks', 1],
  ['factors', 1],
  ['whiten', 1, '1 if the side is solved in whitened coordinates.'],
] as const;

type Field = readonly [name: string, words: number, holds?: string];

/** The index of each field's first word. */
function offsets<const Fields extends readonly Field[]>(fields: Fields): Record<Fields[number][0], number> {
  let at = 0;
  const found: Record<string, number> = {};
  for (const [name, words] of fields) {
    found[name] = at;
    at += words;
  }
  return found as Record<Fields[number][0], number>;
}

export const word = offsets(block);
export const side = offsets(sideBlock);

/** The same list as AssemblyScript, for `import … from './parameters'`. */
export function parametersSource(): string {
  const constants = Object.entries({ ...word, ...side }).map(
    ([name, at]) => `export const ${name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()}: usize = ${at};`,
  );
  return `export const BASE: usize = ${blockAt};
@inline export function word(index: usize): u32 {
  return load<u32>(BASE + (index << 2));
}
${constants.join('\n')}
`;
}
