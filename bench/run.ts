// npm run bench -- NAME [flags]: measures one claim against its rival; the last line is a JSON object.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const names = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter(
    (entry) =>
      entry.isFile() && entry.name.endsWith('.ts') && !['run.ts', 'bundled.ts', 'cargo.ts'].includes(entry.name),
  )
  .map((entry) => entry.name.slice(0, -3));
const [name, ...flags] = process.argv.slice(2);

if (!name || name === '--help' || !names.includes(name)) {
  console.error(
    `${name && name !== '--help' ? `no bench called ${name}. ` : ''}usage: npm run bench -- NAME, NAME one of: ${names.join(', ')}`,
  );
  process.exit(name === '--help' ? 0 : 1);
}
const run = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...flags], { stdio: 'inherit' });
process.exit(run.status ?? 1);
