// Real data similar to "images pulled together" that any Debian machine has: its package index. A user is a maintainer;
// a repository is a package that theirs depend on; the count is the number of their packages that do.
import { execFileSync } from 'node:child_process';
import type { Pair } from '#core/stores.ts';
import { ofPairs, type World } from '../als/worlds.ts';

/** Users and repositories with fewer pairs are removed, repeatedly, until all have enough. */
const leastOf = { user: 5, repository: 3 };

/** Returns undefined without a package index: not on Debian, or before the first `apt-get update`. */
export function packages(): World | undefined {
  let text = '';
  try {
    const files = execFileSync('apt-get', ['indextargets', '--format', '$(FILENAME)', 'Created-By: Packages'], {
      encoding: 'utf8',
    });
    const main = files
      .split('\n')
      .find((file) => /_main_binary-\w+_Packages/.test(file) && !/security|updates/.test(file));
    if (main)
      text = execFileSync('/usr/lib/apt/apt-helper', ['cat-file', main], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  } catch {}
  if (text === '') return undefined;
  const counts = new Map<string, Map<string, number>>();
  for (const paragraph of text.split('\n\n')) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1];
    const depends = field('Depends');
    const maintainer = field('Maintainer');
    if (depends === undefined || maintainer === undefined) continue;
    const user = /<(.*)>/.exec(maintainer)?.[1] ?? maintainer;
    const names = depends.split(',').map(
      (one) =>
        one
          .trim()
          .split('|')[0]
          .trim()
          .split(/[ (:[]/)[0],
    );
    const own = counts.get(user) ?? new Map<string, number>();
    counts.set(user, own);
    for (const name of new Set(names)) own.set(name, (own.get(name) ?? 0) + 1);
  }
  let pairs = [...counts].flatMap(([user, own]) =>
    [...own].map(([repository, pulls]) => ({ user, repository, pulls })),
  );
  for (;;) {
    const of = {
      user: tally(pairs.map(({ user }) => user)),
      repository: tally(pairs.map(({ repository }) => repository)),
    };
    const kept = pairs.filter(
      ({ user, repository }) =>
        (of.user.get(user) ?? 0) >= leastOf.user && (of.repository.get(repository) ?? 0) >= leastOf.repository,
    );
    if (kept.length === pairs.length) break;
    pairs = kept;
  }
  const order = (a: { user: string; repository: string }, b: typeof a) =>
    a.user < b.user ? -1 : a.user > b.user ? 1 : a.repository < b.repository ? -1 : 1;
  return ofPairs(
    'deb-maint',
    pairs.sort(order).map((pair): Pair => ({ ...pair, firstPull: 0, lastPull: 0 })),
  );
}

function tally(names: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
