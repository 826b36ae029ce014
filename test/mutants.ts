// Mutations without an observable effect, each with the reason: `npm run mutate` skips them.

export interface Equivalent {
  file: string;
  /** A part of the mutated line. */
  line: string;
  /** As `npm run mutate` prints it. */
  change: string;
  why: string;
}

export const equivalents: Equivalent[] = [
  {
    file: 'functions/core/hits/hit.ts',
    line: 'for (let code = 0x20; code < 0x7f; code++)',
    change: '< -> <=',
    why: 'JSON writes DEL as it is: the fast path would read it as JSON.parse does',
  },
  {
    file: 'functions/core/map/private-hosts.ts',
    line: 'for (let at = offsets[row + 1] - 1; at >= offsets[row]; at--)',
    change: '+ 1 -> - 1',
    why: 'it saves a look at names that are not private; each that is looked at is told apart exactly',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'letter === a && actionStart < 0',
    change: '< -> <=',
    why: 'an action never begins with the body',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'for (let code = 0x20; code < 0x7f; code++)',
    change: '< -> <=',
    why: 'JSON writes DEL as it is, and a line is the same by either path',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'if (at === idStart || at - idStart > mostId) return undefined;',
    change: '> -> >=',
    why: 'what this path declines the other reads, into the same lines',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'if (out + headLength + at - domainStart + lineBytes + mostDomain + mostId > scratch.length) return undefined;',
    change: '> -> >=',
    why: 'what this path declines the other reads, into the same lines',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'if (at === label || at - label > 63 || body[at - 1] === hyphen) return -1;',
    change: '> -> >=',
    why: 'what this path declines the other reads, into the same lines',
  },
  {
    file: 'functions/process/notify.ts',
    line: 'if (known.size >= knownPairs) known.clear();',
    change: '>= -> >',
    why: 'a cache of one entry more: what it lacks is asked of the claims',
  },
  {
    file: 'functions/process/fold.ts',
    line: 'if (ranMs >= holdMs) return { changed: true };',
    change: 'true -> false',
    why: 'some domains are older than they may be, so their leaving changes the points anyway',
  },
  {
    file: 'functions/process/kernel.ts',
    line: 'for (let row = 0, at = exports.place(which) / 4; row < count; row++, at += rowWords) {',
    change: '< -> <=',
    why: 'one row more is written beyond the columns, and the last offset right after',
  },
  {
    file: 'functions/core/address.ts',
    line: 'if (length < 2 || length > 39) return false;',
    change: '|| -> &&',
    why: 'it ends sooner: the groups are counted, and their digits, so that no such text is an address',
  },
  {
    file: 'functions/serve/map/hits.ts',
    line: '.sort(([a, more], [b, fewer]) => fewer - more || (a < b ? -1 : 1));',
    change: '< -> <=',
    why: 'no two rows have the same key',
  },
  {
    file: 'functions/core/hits/points-state.ts',
    line: 'for (let row = 0, into = 0; row < count; row++) if (this.#updatedAt[row] >= time) order[into++] = row;',
    change: '< -> <=',
    why: 'a row beyond the last would be written behind the end of the list, which is dropped',
  },
  {
    file: 'functions/core/recommender/ratings.ts',
    line: 'for (let row = 0; row + 1 < starts.length; row++)',
    change: '+ 1 -> - 1',
    why: 'a row behind the last has no end, and so no entries',
  },
  {
    file: 'functions/serve/map/clusters.ts',
    line: "'W,S,E,N: west > east crosses the antimeridian, longitudes wrap, latitudes are held to the poles.',",
    change: '> -> >=',
    why: 'words of the document, not code',
  },
  {
    file: 'functions/process/kernel.ts',
    line: 'const id = idStart < 0 ? 0 : at;',
    change: '< -> <=',
    why: 'an id never begins with the line',
  },
  {
    file: 'functions/process/kernel.ts',
    line: 'idStart < 0 ? 0 : put(idStart, idEnd)',
    change: '< -> <=',
    why: 'an id never begins with the line',
  },
  {
    file: 'functions/process/pulls.ts',
    line: 'if (new Set(events.map(({ id }) => id)).size < events.length) return events;',
    change: '< -> <=',
    why: 'the order of different events only makes storing them quicker',
  },
  {
    file: 'functions/process/pulls.ts',
    line: 'byText(a.user, b.user) || byText(a.repository, b.repository)',
    change: '|| -> &&',
    why: 'the order of different events only makes storing them quicker',
  },
  {
    file: 'functions/process/kernel.ts',
    line: 'if (start >= data.length) return;',
    change: '>= -> >',
    why: 'one turn more finds nothing behind the end',
  },
  {
    file: 'functions/process/publish.ts',
    line: 'if (whole.size > 100) whole.clear();',
    change: '> -> >=',
    why: 'a cache of one entry less: what it lacks is looked up',
  },
  {
    file: 'functions/core/recommender/item-weights.ts',
    line: 'for (let at = from; at < to; at++) counts[at] = root * scaled(countScale, values[at]);',
    change: '< -> <=',
    why: 'what is written behind a row is written again by the next, and behind the last nowhere',
  },
  {
    file: 'functions/core/recommender/served.ts',
    line: 'for (let n = 0; n < pulled.length; n++)',
    change: '< -> <=',
    why: 'a pull behind the last has no row, and so no weights',
  },
  {
    file: 'functions/core/recommender/ratings.ts',
    line: 'for (let row = 0; row < count; row++) ends[row + 1] += ends[row];',
    change: '< -> <=',
    why: 'what is written behind an array is dropped',
  },
  {
    file: 'functions/core/hits/hit.ts',
    line: 'at + shortest > last ||',
    change: '> -> >=',
    why: 'what this path declines the other reads, with the same values',
  },
  {
    file: 'functions/core/hits/delta.ts',
    line: 'if (location.lon !== held.lon) return location.lon > held.lon;',
    change: '> -> >=',
    why: 'they are not equal',
  },
  {
    file: 'functions/process/fold.ts',
    line: 'if (points.size > slack * mostDomains) points.keepNewest(mostDomains);',
    change: '> -> >=',
    why: 'the newest are kept in the end, however early those with older hits leave',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'if (idStart >= 0) out = copy(body, idStart, idEnd',
    change: '>= -> >',
    why: 'an id never begins with the body',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'if (code !== dot) return digits || at - start > mostDomain ? -1 : at;',
    change: '> -> >=',
    why: 'what this path declines the other reads, into the same lines',
  },
  {
    file: 'functions/core/hits/seen.ts',
    line: 'if (arrivedAt > this.#arrivedAt[entry]) this.#arrivedAt[entry] = arrivedAt;',
    change: '> -> >=',
    why: 'an equal time is set to itself',
  },
  {
    file: 'functions/core/hits/points-state.ts',
    line: 'if (this.#updatedAt[row] >= time) since++;',
    change: '< -> <=',
    why: 'a row behind the last has no hits since any time',
  },
  {
    file: 'functions/core/registry/sealed.ts',
    line: "importKey('raw', new Uint8Array(key)",
    change: 'false -> true',
    why: 'the key leaves nothing: it is at hand as bytes',
  },
  {
    file: 'functions/serve/map/hits.ts',
    line: 'if (number > 0 && (number >= most || rows > mostRows)) held.delete(name);',
    change: '>= -> >',
    why: 'a cache of one entry more: what it lacks is read',
  },
];
