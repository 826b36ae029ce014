import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodingOf, formatOf, linesOf, type NumberedRow, rowsOf, Unreadable } from '#local/commands/rows.ts';
import { rfc3339Of, Zone } from '#local/commands/times.ts';

async function* chunks(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Buffer | string, size = 7): Promise<NumberedRow[]> {
  const lines: string[] = [];
  for await (const line of linesOf(chunks(Buffer.from(bytes), size))) lines.push(line);
  const rows: NumberedRow[] = [];
  for await (const row of rowsOf(lines, formatOf(lines.find((line) => line.trim() !== '') ?? ''))) rows.push(row);
  return rows;
}
const row = { time: '2026-11-01', user: 'zoë', repository: 'a/b' };

const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
for (const [name, bytes] of [
  ['UTF-8', Buffer.from('time,user,repository\n2026-11-01,zoë,a/b\n')],
  ['UTF-8 with a mark', Buffer.from('\uFEFFtime,user,repository\r\n2026-11-01,zoë,a/b\r\n')],
  ['UTF-16 with a mark', Buffer.from('\uFEFFtime\tuser\trepository\r\n2026-11-01\tzoë\ta/b\r\n', 'utf16le')],
  ['big-endian UTF-16', utf16be('\uFEFFtime;user;repository\n2026-11-01;zoë;a/b')],
  ['UTF-16 without a mark', Buffer.from('time,user,repository\n2026-11-01,zoë,a/b', 'utf16le')],
  ['bars and other names', Buffer.from('Timestamp|User Name|Image\n2026-11-01|zoë|a/b')],
  ['quoted headers and semicolons', Buffer.from('"when";"actor";"repo"\n"2026-11-01";"zoë";"a/b"')],
  ['CR alone', Buffer.from('time,user,repository\r2026-11-01,zoë,a/b\r')],
] as const)
  test(`CSV: ${name}`, async () => {
    for (const size of [1, 7, 1000])
      assert.deepEqual(await read(bytes, size), [{ line: 2, row }], `${encodingOf(bytes)} in chunks of ${size}`);
  });

test('lines are the same however the text is split into chunks', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '😀', ',', '\n', '\r\n', '"'), maxLength: 60, size: 'max' });
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (text, size) => {
      const lines: string[] = [];
      for await (const line of linesOf(chunks(Buffer.from(text), size))) lines.push(line);
      const whole = text.split(/\r\n|\n/);
      if (whole.at(-1) === '') whole.pop();
      assert.deepEqual(lines, whole);
    }),
    { seed: 9, numRuns: 2000 },
  );
});

test('bytes that are not text are refused, with the expected encoding', async () => {
  await assert.rejects(read(Buffer.from([0x1f, 0x8b, 8, 0, 0xff, 0xfe, 0x80])), (cause: Error) => {
    assert.ok(cause instanceof Unreadable);
    assert.equal(cause.message, 'it is not UTF-8 text: save it as UTF-8, or unpack it first');
    return true;
  });
  await assert.rejects(read('user;repository\nann;a/b'), /line 1 names no column "time"/);
});

const combined = (method: string, path: string, status: number, more = '') =>
  `192.0.2.7 - alice [21/Nov/2026:03:59:25 +0100] "${method} ${path} HTTP/1.1" ${status} 1234 "-" "docker/27.3.1 go/go1.22.7"${more}`;

test("the combined format: successful requests for manifests become rows, others don't", async () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const rows = await read(
    [
      combined('HEAD', '/v2/library/redis/manifests/7.2', 200),
      combined('GET', `/v2/library/redis/manifests/${digest}`, 200, ' "10.0.0.1" 0.012'),
      combined('PUT', '/registry/v2/team%2Dx/app/manifests/1?x=1', 201),
      combined('GET', '/v2/library/redis/manifests/7.2', 404),
      combined('GET', '/v2/library/redis/blobs/sha256:bb', 200),
      'r.example:443 192.0.2.7 - - [21/Nov/2026:03:59:25 +0000] "GET /v2/a/manifests/1 HTTP/1.1" 200 1 "-" "-"',
      'half a line',
    ].join('\n'),
  );
  const time = '2026-11-21T03:59:25+01:00';
  const [address, userAgent] = ['192.0.2.7', 'docker/27.3.1 go/go1.22.7'];
  assert.deepEqual(rows, [
    {
      line: 1,
      row: {
        time,
        user: 'alice',
        address,
        userAgent,
        action: 'pull',
        method: 'HEAD',
        repository: 'library/redis',
        tag: '7.2',
      },
    },
    {
      line: 2,
      row: {
        time,
        user: 'alice',
        address,
        userAgent,
        action: 'pull',
        method: 'GET',
        repository: 'library/redis',
        digest,
      },
    },
    {
      line: 3,
      row: {
        time,
        user: 'alice',
        address,
        userAgent,
        action: 'push',
        method: 'PUT',
        repository: 'team-x/app',
        tag: '1',
      },
    },
    { line: 4, row: undefined },
    { line: 5, row: undefined },
    {
      line: 6,
      row: {
        time: '2026-11-21T03:59:25+00:00',
        user: '',
        address,
        action: 'pull',
        method: 'GET',
        repository: 'a',
        tag: '1',
      },
    },
    { line: 7, wrong: 'it is not in the combined log format' },
  ]);
});

test("Distribution's JSON log: the user is in one line, the response in another", async () => {
  const line = (more: object) => JSON.stringify({ level: 'info', time: '2026-11-21T03:59:25.5Z', ...more });
  const request = { 'http.request.id': 'r1', 'http.request.method': 'GET', 'http.request.uri': '/v2/a/b/manifests/1' };
  const rows = await read(
    [
      line({ msg: 'listening on [::]:5000', 'go.version': 'go1.19' }),
      line({ msg: 'authorized request', 'auth.user.name': 'alice', ...request }),
      line({
        ...{ msg: 'response completed', ...request, 'http.response.status': 200, 'http.request.useragent': 'crane/1' },
        ...{
          'http.request.remoteaddr': '192.0.2.7:1234',
          'http.response.contenttype': 'application/vnd.oci.image.index.v1+json',
        },
      }),
    ].join('\n'),
  );
  assert.deepEqual(
    rows.map(({ row }) => row),
    [
      undefined,
      undefined,
      {
        ...{
          time: '2026-11-21T03:59:25.5Z',
          user: 'alice',
          action: 'pull',
          method: 'GET',
          repository: 'a/b',
          tag: '1',
        },
        ...{ address: '192.0.2.7:1234', userAgent: 'crane/1', mediaType: 'application/vnd.oci.image.index.v1+json' },
      },
    ],
  );
});

test("Harbor's audit log, from its API and as CSV", async () => {
  const entry = { id: 1, username: 'alice', resource_type: 'artifact', op_time: '2026-11-21T03:59:25.123Z' };
  const api = [
    { ...entry, resource: 'library/redis:7.2', operation: 'pull' },
    { ...entry, resource: `library/redis@sha256:${'a'.repeat(64)}`, operation: 'create' },
    { ...entry, resource: 'library', resource_type: 'project', operation: 'create' },
    { ...entry, resource: 'library/redis:7.2', operation: 'delete' },
  ];
  const found = (await read(JSON.stringify(api, null, 1))).map(({ row }) => row);
  const common = { time: '2026-11-21T03:59:25.123Z', user: 'alice' };
  const rows = [
    { ...common, action: 'pull', repository: 'library/redis', tag: '7.2' },
    { ...common, action: 'push', repository: 'library/redis', digest: `sha256:${'a'.repeat(64)}` },
    undefined,
    undefined,
  ];
  assert.deepEqual(found, rows);
  const csv = [
    'op_time;operation;resource;resource_type;username',
    ...api.map((row) => [row.op_time, row.operation, row.resource, row.resource_type, row.username].join(';')),
  ];
  assert.deepEqual(
    (await read(csv.join('\n'))).map(({ row }) => row),
    rows,
  );
});

const berlin = new Zone('Europe/Berlin');
for (const [written, expected] of [
  ['2026-11-01', '2026-10-31T23:00:00Z'],
  ['2026-11-01 10:00:00', '2026-11-01T09:00:00Z'],
  ['2026-07-01 10:00', '2026-07-01T08:00:00Z'],
  ['2026/11/1 9:05', '2026-11-01T08:05:00Z'],
  ['2026-10-25 02:30:00', '2026-10-25T00:30:00Z'],
  ['2026-03-29 02:30:00', '2026-03-29T01:30:00Z'],
  ['1793527200', '2026-11-01T10:00:00.000Z'],
  [1793527200.5, '2026-11-01T10:00:00.500Z'],
  ['1793527200123', '2026-11-01T10:00:00.123Z'],
  ['1793527200123456', '2026-11-01T10:00:00.123Z'],
  ['1793527200123456789', '2026-11-01T10:00:00.123Z'],
  ['2026-11-01 10:00:00.123456 +0100', '2026-11-01T10:00:00.123456+01:00'],
  ['2026-11-01 10:00:00 UTC', '2026-11-01T10:00:00Z'],
  ['2026-02-30', '2026-02-30'],
  ['Nov 1', 'Nov 1'],
] as const)
  test(`the time ${written} is ${expected}`, () =>
    assert.equal(
      rfc3339Of(written, berlin, () => {}),
      expected,
    ));

test('a time zone maps every clock time to a moment when its clocks show that time', () => {
  for (const name of ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC', '-03:30']) {
    const zone = new Zone(name);
    const format = name.startsWith('-')
      ? undefined
      : new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
        const shown = format
          ? format.format(seconds * 1000)
          : new Date(seconds * 1000 - 12_600_000).toISOString().slice(0, 19).replace('T', ' ');
        const back = Date.parse(String(rfc3339Of(shown, zone, () => {})));
        // When a clock time occurs twice, either moment is right.
        assert.ok(
          back === seconds * 1000 || (format?.format(back) === shown && back < seconds * 1000),
          `${name} ${shown}`,
        );
      }),
      { seed: 10, numRuns: 500 },
    );
  }
  assert.throws(() => new Zone('Mars/Base'), RangeError);
});
