import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HitLine, RegistryLine, StoredEvent } from '#core/event.ts';
import { type ObjectStore, PreconditionFailed, type StreamRecord } from '#core/stores.ts';
import { backfill } from '#local/commands/backfill.ts';
import { dataFolder, eventually, runScript, startLocal } from '../../support/run.ts';

/** A stream and an object store in memory. */
function world() {
  const records: StreamRecord[] = [];
  const held = new Map<string, { body: Uint8Array; etag: string }>();
  let version = 0;
  const objects: Pick<ObjectStore, 'get' | 'put'> = {
    async get(key) {
      return held.get(key);
    },
    async put(key, body, { ifMatch, ifNoneMatch } = {}) {
      const found = held.get(key);
      if (ifMatch ? found?.etag !== ifMatch : ifNoneMatch && found) throw new PreconditionFailed(key);
      const etag = String(++version);
      held.set(key, { body: body as Uint8Array, etag });
      return { etag };
    },
  };
  const stored: StoredEvent[] = [];
  const put = async (more: StreamRecord[]) => {
    records.push(...more);
  };
  const run = async (text: string, format: 'csv' | 'ndjson') => {
    records.length = 0;
    const done = await backfill(text.split('\n'), format, {
      stream: { put },
      hits: { put },
      objects: objects as ObjectStore,
      events: { stored: (ids) => new Set(ids.filter((id) => stored.some((event) => event.id === id))) },
      clock: () => Date.parse('2026-05-20T00:00:00Z'),
    });
    const lines = records.flatMap(({ data }) =>
      Buffer.from(data)
        .toString()
        .split('\n')
        .map((line) => JSON.parse(line) as HitLine | RegistryLine),
    );
    return { done, lines };
  };
  return { run, held, stored };
}

const pulls = `time,user,repository,tag,digest
2026-05-01T10:00:00Z,alice,library/redis,7.2,sha256:aa
2026-05-01 10:00:05.5Z,"o""hara, bo",library/redis,,sha256:aa
2026-05-02T10:00:00+02:00,,library/redis,latest,
`;

test('an invalid time and a future one are quoted as in the file', async () => {
  const text = `time,user,repository
not a time,alice,library/redis
2026-05-21T00:00:01Z,alice,library/redis
2030-01-01T00:00:00Z,alice,library/redis
`;
  const { done } = await world().run(text, 'csv');
  assert.deepEqual(
    done.bad.map(({ line, reason }) => [line, reason.slice(0, 17)]),
    [
      [2, 'time "not a time"'],
      [3, 'time "2026-05-21T'],
      [4, 'time "2030-01-01T'],
    ],
  );
});

test('a row with any content is named by its line, and the rows around it are imported', async () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const good = (user: string) => `{"time": "2026-05-01T10:00:00Z", "user": "${user}", "repository": "a/b"}`;
  const odd = ['time', 'user', 'repository', 'tag', 'digest', 'action', 'userAgent', 'address'].flatMap((name) => [
    good('odd')
      .replace('{', `{"${name}": ${deep}, `)
      .replace(new RegExp(`, "${name}": "[^"]*"`), ''),
    good('odd')
      .replace('{', `{"${name}": "${'x'.repeat(1_200_000)}", `)
      .replace(new RegExp(`, "${name}": "[^"]*"`), ''),
  ]);
  const hits = ['time', 'domain', 'action', 'address', 'path', 'id'].flatMap((name) =>
    [deep, `"${'x'.repeat(1_200_000)}"`].map((value) =>
      JSON.stringify({ time: '2026-05-01T10:00:00Z', domain: 'a.example', [name]: '?' }).replace('"?"', value),
    ),
  );
  const { done, lines } = await world().run([good('ann'), ...odd, ...hits, good('bo')].join('\n'), 'ndjson');
  const users = lines.map((line) => (line as RegistryLine).event.user);
  // A long user agent is cut, and so is a long name, which keeps a hash of the whole.
  assert.deepEqual(users.map((user) => user.replace(/^x{222}~[0-9a-f]{32}$/, 'long')).sort(), [
    'ann',
    'bo',
    'long',
    'odd',
  ]);
  assert.equal(done.bad.length, odd.length + hits.length - 2);
  for (const { reason } of done.bad) assert.ok(reason.length < 200, reason.slice(0, 80));
  assert.deepEqual(done.bad[0], { line: 2, reason: 'time is an object or a list: write text' });
});

test('a quote that is never closed takes linear time', async () => {
  // If each line were counted from the start, the 90,000 rows after the quote would be 40 thousand million characters.
  const rows = Array.from({ length: 90_000 }, (_, at) => `r,${at}`).join('\n');
  const { done } = await world().run(`time,user,repository\n"open,ann,a/b\n${rows}\n`, 'csv');
  assert.deepEqual(done.bad, [{ line: 2, reason: 'a quote is opened and never closed' }]);
});

test('pulls of a CSV file become registry events, anonymous ones too', async () => {
  const { done, lines } = await world().run(pulls, 'csv');
  assert.deepEqual([done.rows, done.pulls, done.bad], [3, 3, []]);
  const events = lines.map((line) => (line as RegistryLine).event).sort((a, b) => a.time - b.time);
  assert.deepEqual(
    events.map(({ time, user, tag, digest, kind, method }) => [time, user, tag, digest, kind, method]),
    [
      [Date.parse('2026-05-01T10:00:00Z'), 'alice', '7.2', 'sha256:aa', 'manifest', 'GET'],
      [Date.parse('2026-05-01T10:00:05.500Z'), 'o"hara, bo', undefined, 'sha256:aa', 'manifest', 'GET'],
      [Date.parse('2026-05-02T08:00:00Z'), '', 'latest', undefined, 'manifest', 'GET'],
    ],
  );
});

test('pulls that are already stored are reported as for hits, and a repeated row is one pull', async () => {
  const { run, stored } = world();
  const { lines, done } = await run(`${pulls}${pulls.split('\n')[1]}\n`, 'csv');
  assert.deepEqual([done.rows, done.pulls, done.anonymous, done.known], [4, 3, 1, 1]);
  stored.push(...(lines as unknown as { event: StoredEvent }[]).map(({ event }) => event));
  const again = await run(`${pulls}2026-05-03T10:00:00Z,bo,library/redis,,\n`, 'csv');
  assert.deepEqual([again.done.pulls, again.done.known], [1, 3]);
});

test('rows that an older version imported are known, remembered or stored', async () => {
  const name = (content: unknown[]) => hash('sha256', JSON.stringify(content), 'base64url').slice(0, 24);
  const older = `import-${name(['2026-05-01T10:00:00Z', 'alice', 'library/redis', '7.2', 'sha256:aa', 'pull'])}`;
  const [header, row] = pulls.split('\n');
  const first = world();
  const { lines } = await first.run(`${header}\n${row}`, 'csv');
  const [{ event }] = lines as unknown as { event: StoredEvent }[];
  assert.notEqual(event.id, older);
  const remembered = first.held.get('imports/pulls-2026-05-01')!;
  const number = hash('sha256', older, 'buffer').readUIntBE(0, 6) * 32 + (hash('sha256', older, 'buffer')[6] >> 3);
  assert.deepEqual([...new Float64Array(Uint8Array.from(remembered.body).buffer)], [number]);

  const second = world();
  second.stored.push({ ...event, id: older });
  assert.equal((await second.run(`${header}\n${row}`, 'csv')).done.known, 1);
});

test('a repository that is written as an image is split into repository, tag and digest', async () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const rows: [image: string, tag: string, repository: string, tag?: string, digest?: string][] = [
    ['team/app', '', 'team/app'],
    ['team/app:1.0', '', 'team/app', '1.0'],
    ['team/app:1.0', '2.0', 'team/app', '2.0'],
    [`team/app@${digest}`, '', 'team/app', undefined, digest],
    [`team/app:1.0@${digest}`, '', 'team/app', '1.0', digest],
    ['reg.example.com:5000/team/app:1.0', '', 'team/app', '1.0'],
    ['localhost:5000/app', '', 'app'],
    // A project may have a dot in its name.
    ['docker.io/library/nginx', '', 'docker.io/library/nginx'],
  ];
  const csv = rows.map(([image, tag], at) => `2026-05-01T10:00:0${at}Z,ann,${image},${tag}`);
  const { lines } = await world().run(`time,user,image,tag\n${csv.join('\n')}\n`, 'csv');
  assert.deepEqual(
    lines
      .map((line) => (line as RegistryLine).event)
      .sort((a, b) => a.time - b.time)
      .map(({ repository, tag, digest }) => [repository, tag, digest]),
    rows.map(([, , repository, tag, digest]) => [repository, tag, digest]),
  );
});

test("pulls' ids are in the order of their times", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: Date.UTC(2026, 4, 20) }), { minLength: 2 }), async (times) => {
      const rows = times.map((time) => `${new Date(time).toISOString()},alice,app,1,`);
      const { lines } = await world().run(`time,user,repository,tag,digest\n${rows.join('\n')}`, 'csv');
      const events = (lines as unknown as { event: StoredEvent }[]).map(({ event }) => event);
      const sorted = events.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(({ time }) => time);
      assert.deepEqual(
        sorted,
        sorted.toSorted((a, b) => a - b),
      );
    }),
  );
});

test('a file without a required column is refused; an unknown column is ignored', async () => {
  const rows: [string, RegExp][] = [
    ['user,repository', /^line 1 names no column "time": add it$/],
    ['domain,user', /^line 1 names no column "time": add it$/],
  ];
  for (const [head, message] of rows)
    await assert.rejects(world().run(`${head}\na,b`, 'csv'), { name: 'Unreadable', message });
  const { done } = await world().run('time,repository,digst\n2026-05-01T10:00:00Z,"猫/x, y",sha256:aa', 'csv');
  assert.deepEqual([done.pulls, done.anonymous, [...done.ignored], done.bad], [1, 1, ['digst'], []]);
});

test('a pull has the same id at every import, in every file format', async () => {
  const ids = ({ lines }: { lines: (HitLine | RegistryLine)[] }) =>
    lines.map((line) => (line as RegistryLine).event.id);
  const csv = ids(await world().run(pulls, 'csv'));
  const json = JSON.stringify({
    time: '2026-05-01T10:00:00Z',
    user: 'alice',
    repository: 'library/redis',
    tag: '7.2',
    digest: 'sha256:aa',
  });
  assert.ok(csv.includes(ids(await world().run(json, 'ndjson'))[0]));
  assert.equal(new Set(csv).size, 3);
});

const hits = `time,domain,action,address
2026-05-01T10:00:00Z,Portal.example,view,192.0.2.7
2026-05-01T10:00:00Z,portal.example,view,192.0.2.7
2026-05-01T10:00:00Z,portal.example,,2001:db8::5
2026-05-02T10:00:00Z,other.example,login,
`;

test('hits of a CSV file are imported once, equal rows as often as the file has them', async () => {
  const { run, held } = world();
  const { done, lines } = await run(hits, 'csv');
  assert.deepEqual([done.hits, done.known], [4, 0]);
  assert.equal(new Set(lines.map((line) => (line as HitLine).id)).size, 4);
  assert.deepEqual(lines.map((line) => (line as HitLine).address).sort(), [
    '',
    '192.0.2.7',
    '192.0.2.7',
    '2001:db8::5',
  ]);
  const again = await run(hits, 'csv');
  assert.deepEqual([again.done.hits, again.done.known, again.lines], [0, 4, []]);
  const more = await run(`${hits}2026-05-01T10:00:00Z,portal.example,view,192.0.2.9\n`, 'csv');
  assert.deepEqual([more.done.hits, more.done.known], [1, 4]);
  for (const [key, { body }] of held) {
    assert.match(key, /^imports\/hits-2026-05-0[12]$/);
    assert.ok(!Buffer.from(body).toString('latin1').includes('192.0.2'));
  }
});

test('two imports at once both remember their hits', async () => {
  const { run } = world();
  await Promise.all([run(hits, 'csv'), run('{"time":"2026-05-01T11:00:00Z","domain":"third.example"}', 'ndjson')]);
  assert.equal((await run(hits, 'csv')).done.known, 4);
  const third = await run('{"time":"2026-05-01T11:00:00Z","domain":"third.example"}', 'ndjson');
  assert.equal(third.done.known, 1);
});

test('an invalid row is named by its line and reason, and the valid ones are imported', async () => {
  const { done } = await world().run(
    [
      '{"time":"2026-05-01T10:00:00Z","user":"alice","repository":"a/b"}',
      '{"time":"yesterday","user":"alice","repository":"a/b"}',
      '',
      '{"user":7,"time":"2026-05-01T10:00:00Z","repository":"a/b"}',
      '{"time":"2026-05-01T10:00:00Z","user":"","repository":""}',
      '[1]',
      'x',
      '{"time":"2026-05-01T10:00:00Z"}',
      '{"domain":"portal.example"}',
      '{"time":"2026-05-01T10:00:00Z","domain":"not a host"}',
      '{"time":"2026-05-01T10:00:00Z","user":"alice","repository":"a/b","action":"eat"}',
      '{"time":"2026-05-01T10:00:00Z","user":"alice","repository":"a/b","address":"999.1.1.1"}',
      '{"time":"2026-05-01T10:00:00Z","domain":"a.example","address":"nowhere"}',
    ].join('\n'),
    'ndjson',
  );
  assert.equal(done.pulls, 1);
  assert.match(done.bad[0].reason, /: write 2026-11-21T08:00:00Z, 2026-11-21 or seconds since 1970$/);
  assert.deepEqual(
    done.bad.map(({ line, reason }) => [line, reason.split(':')[0]]),
    [
      [2, 'time "yesterday" is not a time'],
      [4, 'user is number, not a string'],
      [5, 'repository is empty'],
      [6, 'it is not a JSON object'],
      [7, 'it is not a JSON object'],
      [8, 'it has neither a repository (a pull) nor a domain (a hit)'],
      [9, 'time is missing'],
      [10, 'domain is "not a host"'],
      [11, 'action "eat" is neither pull nor push'],
      [12, 'address "999.1.1.1" is not an IP address'],
      [13, 'address "nowhere" is not an IP address'],
    ],
  );
});

test('CSV: quoted line breaks, a byte order mark and CR LF are read; wrong numbers of columns and open quotes are named', async () => {
  const text = `\uFEFFuser,time,repository
"a
b",2026-05-01T10:00:00Z,x/y
one,two
bo,2026-05-01T10:00:00Z,x"y
bo,2026-05-01T10:00:00Z,x/y
`;
  const { done, lines } = await world().run(text, 'csv');
  assert.deepEqual(
    done.bad.map(({ line }) => line),
    [4, 5],
  );
  assert.deepEqual((lines[0] as RegistryLine)?.event.user, 'a\nb');
  await assert.rejects(world().run('one,two\n1,2', 'csv'), /line 1 does not name the columns/);
});

test("a file that can't be read, is empty or is a folder gives one line, and no data folder is made", {
  timeout: 60_000,
}, async (t) => {
  const folder = dataFolder(t);
  const [empty, sub, data] = ['empty.csv', 'sub', 'data'].map((name) => join(folder, name));
  writeFileSync(empty, '');
  mkdirSync(sub);
  const rows: [string, RegExp][] = [
    [join(folder, 'gone.csv'), /^.*gone\.csv does not exist\n$/],
    [sub, /^.*sub is a folder: name a file in it\n$/],
  ];
  for (const [file, says] of rows) {
    const { code, output } = await runScript('local/commands/import.ts', [file, '--data', data]);
    assert.match(output, says);
    assert.equal(code, 1);
    assert.ok(!existsSync(data));
  }
  const { code, output } = await runScript('local/commands/import.ts', [empty, '--data', data]);
  assert.match(output, /^.*empty\.csv holds no rows$/m);
  assert.equal(code, 1);
});

test('a first import says that the data folder is new; a second one says what was already imported', {
  timeout: 60_000,
}, async (t) => {
  const folder = dataFolder(t);
  const [file, data] = ['pulls.csv', 'data'].map((name) => join(folder, name));
  writeFileSync(file, pulls);
  const first = await runScript('local/commands/import.ts', [file, '--data', data]);
  assert.match(first.output, /data had no data and is a new data folder now: npm start -- --data DIR shows it\n/);
  assert.match(
    first.output,
    /: 3 pulls and 0 hits of 3 rows, 1 of the pulls without a user name\nnpm start -- --data \S+ counts the rows\n$/,
  );
  const running = await startLocal(data);
  t.after(() => running.kill());
  await eventually(
    20,
    () => running.get<{ total: { raw: number } }>('/v1/pulls'),
    ({ total }) => total.raw === 3,
  );
  const second = await runScript('local/commands/import.ts', [file, '--data', data]);
  assert.match(second.output, /^.*pulls\.csv: 0 pulls and 0 hits of 3 rows, 3 rows were already known\n$/);
  assert.deepEqual([first.code, second.code], [0, 0]);

  // While a server runs, the command ends when its rows are counted.
  const more = join(folder, 'more.csv');
  const rows = Array.from(
    { length: 500 },
    (_, n) => `${new Date(n * 3_600_000).toISOString()},user-${n % 50},a/b-${n % 7},1,`,
  );
  writeFileSync(more, ['time,user,repository,tag,digest', ...rows].join('\n'));
  const third = await runScript('local/commands/import.ts', [more, '--data', data]);
  assert.match(third.output, /more\.csv: 500 pulls and 0 hits of 500 rows\nevery row is counted\n$/);
  const [{ total }, { importing }] = await Promise.all([
    running.get<{ total: { pulls: number } }>('/v1/pulls'),
    running.get<{ importing: number }>('/v1/health'),
  ]);
  assert.deepEqual([total.pulls, importing], [503, 0]);

  // The first address that this server sees.
  writeFileSync(more, 'time,user,repository,tag,digest,address\n2026-05-01T10:00:00Z,ann,a/b,1,,81.2.69.142');
  await runScript('local/commands/import.ts', [more, '--data', data]);
  const { buckets } = await running.get<{ buckets: { key: string; pulls: number }[] }>('/v1/pulls?by=country');
  assert.deepEqual(
    buckets.map(({ key, pulls }) => [key, pulls]),
    [
      ['', 503],
      ['GB', 1],
    ],
  );
});

test('a second import before the first is processed adds nothing', async () => {
  const here = world();
  await here.run(pulls, 'csv');
  const { done, lines } = await here.run(pulls, 'csv');
  assert.deepEqual([done.pulls, done.known, lines.length], [0, 3, 0]);
});

test('times without a zone are reported, and ambiguous ones are quoted as in the file', async () => {
  const { done, lines } = await world().run(
    'time,user,repository\n2026-05-01,ann,a/b\n1777716000,ann,a/b\n01.05.2026 10:00,ann,a/b\n2026-13-01 10:00:00,ann,a/b',
    'csv',
  );
  assert.deepEqual(
    lines.map((line) => new Date((line as RegistryLine).event.time).toISOString()),
    ['2026-05-01T00:00:00.000Z', '2026-05-02T10:00:00.000Z'],
  );
  assert.equal(done.zoneless, 1);
  assert.deepEqual(
    done.bad.map(({ reason }) => reason),
    [
      'time "01.05.2026 10:00" may be 01/05 or 05/01: write the year first, 2026-11-21',
      'time "2026-13-01 10:00:00" is not a time: write 2026-11-21T08:00:00Z, 2026-11-21 or seconds since 1970',
    ],
  );
});

test('the command reads an access log, takes a time zone, and refuses a file without usable lines', {
  timeout: 60_000,
}, async (t) => {
  const folder = dataFolder(t);
  const [log, rows, data] = ['access.log', 'rows.csv', 'data'].map((name) => join(folder, name));
  const line = (path: string) =>
    `192.0.2.7 - ann [01/May/2026:10:00:00 +0000] "GET ${path} HTTP/1.1" 200 9 "-" "docker/27"\n`;
  writeFileSync(log, line('/v2/a/b/manifests/1') + line('/v2/a/b/blobs/sha256:aa'));
  writeFileSync(rows, Buffer.from('\uFEFFTimestamp;Username;Image\r\n2026-05-01 10:00:00;bo;a/b\r\n', 'utf16le'));
  const zone = ['--zone', 'Europe/Berlin'];
  const { code, output } = await runScript('local/commands/import.ts', [log, rows, ...zone, '--data', data]);
  assert.match(output, /access\.log: 1 pull and 0 hits of 2 rows, 1 line about other things\n/);
  assert.match(output, /rows\.csv: 1 time without a zone, read as Europe\/Berlin/);
  assert.match(output, /rows\.csv: 1 pull and 0 hits of 1 row\n/);
  assert.equal(code, 0);
  const bad = await runScript('local/commands/import.ts', [log, '--zone', 'Mars', '--data', data]);
  assert.match(bad.output, /^--zone is "Mars": must be a zone such as Europe\/Berlin, UTC or \+02:00\n$/);
});
