import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { releaseNotes } from '../infra/tools/release-notes.ts';
import { dataFolder } from './support/run.ts';

const root = join(import.meta.dirname, '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const documents = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'layers/**/*.md'], { cwd: root });
const { scripts, version } = JSON.parse(read('package.json')) as { scripts: Record<string, string>; version: string };

test('every link in a document leads to an existing file and heading', () => {
  for (const document of documents)
    for (const [, target] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path, heading] = target.split('#');
      const file = path === '' ? document : join(document, '..', path);
      assert.ok(existsSync(join(root, file)), `${document} links to ${target}`);
      if (heading === undefined) continue;
      const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, text]) => anchorOf(text));
      assert.ok(headings.includes(heading), `${document} links to ${target}: there are ${headings.join(', ')}`);
    }
});

/** The anchor that GitHub gives a heading. */
const anchorOf = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

test('every file and script that a document names exists', () => {
  for (const document of documents.filter((name) => name !== 'CHANGELOG.md' && !name.startsWith('docs/decisions'))) {
    for (const [, path] of read(document).matchAll(
      /`((?:functions|infra|settings|layers|web|test|bench|examples)\/[\w./-]+\.\w+)`/g,
    ))
      assert.ok(path.includes('NAME') || existsSync(join(root, path)), `${document} names ${path}`);
    for (const [, name] of read(document).matchAll(/npm run ([\w:-]+)/g))
      assert.ok(name in scripts, `${document} names npm run ${name}`);
  }
});

test('the README is short, and this version has release notes', () => {
  assert.ok(read('README.md').split('\n').length <= 120);
  assert.ok(releaseNotes(read('CHANGELOG.md'), version).length > 0);
  assert.throws(() => releaseNotes(read('CHANGELOG.md'), '99.0.0'), /has no section "## 99.0.0"/);
});

test("the README's commands do what the README says", { timeout: 120_000 }, async (t) => {
  const folder = dataFolder(t);
  const data = join(folder, 'data');
  const blocks = [...read('README.md').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text]) => text.trim());
  const of = (start: string) => {
    const block = blocks.find((block) => block.startsWith(start));
    assert.ok(block, `the README has no block that starts with ${start}`);
    return block.replace('npm ci && ', '');
  };

  // npm itself would not pass the signal on.
  const start = of('npm ci && npm start').replace('npm start --', scripts.start);
  const server = spawn('sh', ['-c', `exec ${start} --port 0 --data '${data}'`], { cwd: root });
  const ended = new Promise((resolve) => server.on('exit', resolve));
  t.after(() => server.kill());
  const origin = await new Promise<string>((resolve, reject) => {
    let output = '';
    const look = (text: Buffer) => {
      output += text;
      const ready = /^ready (\S+)$/m.exec(output);
      if (ready) resolve(ready[1]);
    };
    server.stdout.on('data', look);
    server.stderr.on('data', look);
    server.on('exit', () => reject(new Error(output)));
  });
  const curl = of('curl').replace('http://127.0.0.1:8080', origin).replace('curl ', 'curl -s -w "%{http_code}" ');
  assert.match(spawnSync('sh', ['-c', curl], { encoding: 'utf8' }).stdout, /202$/);
  assert.equal((await fetch(`${origin}/hit.js`)).status, 200);

  writeFileSync(join(folder, 'pulls.csv'), 'time,user,repository,tag,digest\n2026-11-21T08:00:00Z,ann,team/app,1.0,\n');
  writeFileSync(
    join(folder, 'hits.ndjson'),
    '{"time":"2026-11-21T08:00:00Z","domain":"portal.example","action":"login","address":"81.2.69.142"}\n',
  );
  const files = of('npm run import').replace(/\S+\.(csv|ndjson)/g, (name) => `'${join(folder, name)}'`);
  const imported = spawnSync('sh', ['-c', `${files} --data '${data}'`], { cwd: root, encoding: 'utf8' });
  assert.equal(imported.status, 0, imported.stdout + imported.stderr);
  server.kill();
  await ended;

  // Commands that run elsewhere: `npm test` is this run, and test/aws/deploy.test.ts deploys.
  const elsewhere = ['npm ci && npm test', 'npm run deploy'];
  const known = ['npm ci && npm start', 'curl', 'npm run import', ...elsewhere];
  for (const block of blocks)
    assert.ok(
      known.some((start) => block.startsWith(start)),
      `no test runs ${block}`,
    );
});
