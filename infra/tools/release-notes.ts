// node infra/tools/release-notes.ts VERSION: prints that version's section of CHANGELOG.md.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text under `## VERSION`, without its heading. Throws when there is none. */
export function releaseNotes(changelog: string, version: string): string {
  const section = changelog.split(/^## /m).find((text) => text.split(/\s/, 1)[0] === version);
  if (!section) throw new Error(`CHANGELOG.md has no section "## ${version}": write one before the tag`);
  return section.slice(section.indexOf('\n')).trim();
}

if (import.meta.main) {
  const changelog = readFileSync(join(import.meta.dirname, '../../CHANGELOG.md'), 'utf8');
  console.log(releaseNotes(changelog, process.argv[2] ?? ''));
}
