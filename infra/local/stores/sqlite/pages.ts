// The pages of a SQLite file: https://www.sqlite.org/fileformat2.html#b_tree_pages

/** Types of the pages that hold rows and keys, and bytes of their headers. */
const headers = new Map([
  [0x02, 12],
  [0x05, 12],
  [0x0a, 8],
  [0x0d, 8],
]);
const fileHeaderBytes = 100;
export const zeros = Buffer.alloc(65_536);

/**
 * In files with more pages, other pages may look like these: pages of long values begin with the number of their next
 * page, whose first byte is then no longer 0.
 */
export const mostPages = 2 ** 25 - 1;

/**
 * The range of the unused bytes between a page's list of cells and their content; undefined if they are zero already.
 * `first`: it is the file's first page. Not for files with auto_vacuum, which have other kinds of pages.
 */
export function unusedOf(page: Buffer, first: boolean): { from: number; to: number } | undefined {
  const start = first ? fileHeaderBytes : 0;
  const header = headers.get(page[start]);
  if (header === undefined) return undefined;
  const from = start + header + 2 * page.readUInt16BE(start + 3);
  const to = page.readUInt16BE(start + 5) || 65_536;
  if (from >= to || to > page.length || zeros.compare(page, from, to, 0, to - from) === 0) return undefined;
  return { from, to };
}
