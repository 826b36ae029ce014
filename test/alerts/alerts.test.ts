// Alerts as people get them: real receivers over real sockets, storms of alerts summed up in a digest, the weekly
// report.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { SMTPServer } from 'smtp-server';
import { deliver } from '#alerts/deliver.ts';
import { receiversOf } from '#alerts/receivers/receiver.ts';
import { reportWhenDue } from '#alerts/weekly.ts';
import type { Alert } from '#core/rules.ts';
import { openAlerts } from '#local/stores/alerts.ts';
import { openObjects } from '#local/stores/objects.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, startLocal } from '../support/run.ts';

const hour = 3_600_000;
const start = 1_790_000_000_000;

const alert = (id: string, more: Partial<Alert> = {}): Alert => ({
  ...{ id, time: start, rule: 'people', when: 'first-pull', text: id, data: { user: 'ann' } },
  ...more,
});

interface Posted {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** An HTTP server that keeps what it is sent, and responds 500 to a body that contains the word. */
async function startHook(t: { after(work: () => void): void }, refuses = 'refused') {
  const posted: Posted[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      posted.push({ path: request.url ?? '', headers: request.headers, body });
      response.writeHead(body.includes(refuses) ? 500 : 200).end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, posted };
}

/** A mail server that requires a password and refuses one address. */
async function startMail(t: { after(work: () => void): void }) {
  const mails: { from: string; to: string[]; text: string }[] = [];
  const server = new SMTPServer({
    ...{ authOptional: false, allowInsecureAuth: true, disabledCommands: ['STARTTLS'], logger: false },
    onAuth({ username, password }, _session, done) {
      if (username === 'whale' && password === 'p@ss word') done(null, { user: 'whale' });
      else done(new Error('no'));
    },
    onRcptTo({ address }, _session, done) {
      done(address === 'nobody@team.example' ? Object.assign(new Error('no such user'), { responseCode: 550 }) : null);
    },
    onData(stream, { envelope }, done) {
      let text = '';
      stream.on('data', (chunk) => {
        text += chunk;
      });
      stream.on('end', () => {
        const { mailFrom, rcptTo } = envelope;
        mails.push({ from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address), text });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  const url = (user = 'whale', password = 'p@ss word') =>
    `smtp://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}`;
  return { url, mails };
}

test('an alert goes once to each receiver (signed webhook, Slack, mail); one that refuses is reported, the others still get it', async (t) => {
  let now = start;
  const [hook, chat, mail] = [await startHook(t), await startHook(t, 'never'), await startMail(t)];
  const alerts = openAlerts(':memory:', () => now);
  await alerts.add(alert('old'));
  now += 2 * hour;
  const text = 'ann <!channel> & @here pulls for the first time: team/ä pp\r\nBcc: other@a.example';
  await alerts.add(alert('good', { text, time: now }));
  await alerts.add(alert('refused', { time: now }));
  const receivers = receiversOf(
    {
      ...{
        notifyUrl: `${hook.url}/hook`,
        notifySecret: 'secret',
        slackUrl: `${chat.url}/chat`,
        mailServer: mail.url(),
      },
      ...{ mailTo: ['team@team.example', 'ops@team.example'], mailFrom: undefined },
    },
    () => now,
  );
  const reports: string[] = [];
  for (let round = 0; round < 2; round++)
    await deliver({ receivers, alerts, perHour: 10, report: (line) => reports.push(line) });

  assert.deepEqual(
    hook.posted.map(({ body }) => JSON.parse(body).id),
    ['good', 'refused'],
  );
  const [{ body, headers, path }] = hook.posted;
  assert.equal(path, '/hook');
  assert.equal(headers['x-whalewatch-id'], 'good');
  const [, seconds, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-whalewatch-signature'])) ?? [];
  assert.equal(Number(seconds), Math.floor(now / 1000));
  assert.equal(createHmac('sha256', 'secret').update(`${seconds}.${body}`).digest('hex'), hex);

  assert.equal(chat.posted.length, 2);
  const slack = JSON.parse(chat.posted[0].body).text;
  assert.match(slack, /^ann &lt;!channel&gt; &amp; @\u200bhere pulls/);

  assert.equal(mail.mails.length, 2);
  const [first] = mail.mails;
  assert.deepEqual([first.from, first.to], ['team@team.example', ['team@team.example', 'ops@team.example']]);
  const [head] = first.text.split('\r\n\r\n');
  // A name can't inject a header.
  assert.doesNotMatch(head, /^bcc:/im);
  assert.match(head, /^Message-ID: <good@whalewatch>$/im);
  assert.match(head, /^Content-Type: text\/plain/im);
  assert.deepEqual(reports, ['the webhook did not take alert refused, which is not sent again: it responded 500']);
});

test("an error of a receiver's server is reported without its URL or password", async (t) => {
  const now = start;
  const mail = await startMail(t);
  const refused = await startHook(t, '');
  // Nothing listens on this port.
  const gone = 'http://127.0.0.1:4/secret-path';
  const of = async (settings: object) => {
    const alerts = openAlerts(':memory:', () => now);
    await alerts.add(alert('one'));
    const reports: string[] = [];
    const none = { notifyUrl: undefined, notifySecret: undefined, slackUrl: undefined, mailServer: undefined };
    const receivers = receiversOf(
      { ...none, mailTo: ['team@team.example'], mailFrom: undefined, ...settings },
      () => now,
    );
    await deliver({ receivers, alerts, perHour: 10, report: (line) => reports.push(line) });
    assert.equal(reports.length, 1, JSON.stringify(settings));
    assert.doesNotMatch(reports[0], /secret-path|p@ss|p%40ss|wrong%20one|wrong one/);
    return reports[0];
  };
  assert.match(await of({ slackUrl: gone }), /^Slack did not take .*: it can't be reached: ECONNREFUSED$/);
  assert.match(await of({ slackUrl: `${refused.url}/secret-path` }), /it responded 500$/);
  assert.match(
    await of({ mailServer: mail.url('whale', 'wrong one') }),
    /^the mail server did not take .*: it responded 535$/,
  );
  assert.match(await of({ mailServer: mail.url(), mailTo: ['nobody@team.example'] }), /it responded 550$/);
  assert.match(await of({ mailServer: 'smtp://whale:p%40ss@127.0.0.1:9' }), /it can't be reached: ESOCKET$|ECONN/);
});

test('in a storm of alerts a rule sends at most its hourly limit, then one digest of all the others', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.record({ rule: fc.constantFrom('a', 'b'), afterMinutes: fc.integer({ min: 0, max: 40 }) }), {
        maxLength: 40,
      }),
      async (perHour, storm) => {
        let now = start;
        const alerts = openAlerts(':memory:', () => now);
        const sent: { at: number; alert: Alert }[] = [];
        const receivers = [{ name: 'all', send: async (one: Alert) => void sent.push({ at: now, alert: one }) }];
        const run = () => deliver({ receivers, alerts, perHour, report: assert.fail });
        for (const [at, { rule, afterMinutes }] of storm.entries()) {
          now += afterMinutes * 60_000;
          await alerts.add(alert(`n${at}`, { rule, time: now }));
          await run();
        }
        for (let minute = 0; minute < 70; minute += 10) {
          now += 600_000;
          await run();
        }
        for (const rule of ['a', 'b']) {
          const own = sent.filter((one) => one.alert.rule === rule);
          const single = own.filter((one) => one.alert.when !== 'digest');
          for (const { at } of single)
            assert.ok(single.filter((one) => one.at > at - hour && one.at <= at).length <= perHour);
          const digests = own.filter((one) => one.alert.when === 'digest');
          for (const [index, { at }] of digests.entries())
            if (index > 0) assert.ok(at - digests[index - 1].at >= hour, 'one digest an hour');
          const summed = digests.reduce((sum, { alert: { data } }) => sum + Number(data.alerts), 0);
          // Each alert was sent, or is in exactly one digest.
          assert.equal(single.length + summed, storm.filter((one) => one.rule === rule).length);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('a digest shows the first ten alerts, and the feed keeps all of them', async () => {
  let now = start;
  const alerts = openAlerts(':memory:', () => now);
  for (let at = 0; at < 15; at++) await alerts.add(alert(`n${String(at).padStart(2, '0')}`));
  const sent: Alert[] = [];
  const receivers = [{ name: 'all', send: async (one: Alert) => void sent.push(one) }];
  const run = () => deliver({ receivers, alerts, perHour: 2, report: assert.fail });
  await run();
  assert.equal(sent.length, 2);
  now += hour;
  await run();
  assert.equal(sent.length, 3);
  const lines = sent[2].text.split('\n');
  assert.match(lines[0], /^13 more alerts of the rule "people" since 2026-\d\d-\d\d \d\d:\d\d UTC:$/);
  assert.deepEqual([lines.length, lines[1], lines.at(-1)], [12, '- n02', 'and 3 more']);
  assert.equal((await alerts.alerts({ limit: 100 })).items.length, 15);
});

test('the weekly report lists what is new, most pulled, unused, outdated and followed, once, on its day', async () => {
  const folder = dataFolder({ after: (work) => process.on('exit', work) });
  // A Monday.
  let now = Date.UTC(2026, 10, 30, 7, 59);
  const alerts = openAlerts(':memory:', () => now);
  const search = openSearch(':memory:');
  const objects = openObjects(`${folder}/objects`);
  const due = () =>
    reportWhenDue({ search, objects, alerts, day: 'monday', clock: () => now, newId: () => String(Math.random()) });
  const day = 86_400_000;
  const pull = (user: string, repository: string, daysAgo: number) => ({
    ...{ id: `${user} ${repository} ${daysAgo}`, time: now - daysAgo * day, user, repository, tag: 'v1', digest: 'd1' },
    ...{ class: 'human' as const, country: '', client: 'docker', events: 1 },
  });
  await search.write(
    [
      pull('ann', 'team/old', 20),
      pull('ann', 'team/old', 2),
      pull('bob', 'team/new', 1),
      pull('ann', 'team/new', 1),
    ].map((doc) => ({ kind: 'pull', id: doc.id, version: 1, doc })),
  );
  await due();
  assert.equal((await alerts.alerts({ limit: 10 })).items.length, 0);
  now += 60_000;
  await due();
  await due();
  const { items } = await alerts.alerts({ limit: 10 });
  assert.equal(items.length, 1);
  const [report] = items;
  assert.equal(report.when, 'report');
  assert.match(
    report.text,
    /^Whalewatch: the week from 2026-11-23 to 2026-11-30\nPulls: 3 of 2 repositories\nNew repositories: team\/new\nNew users: 1\nMost pulled: team\/new \(2, by 2 users\), team\/old \(1, by 1 user\)\n/,
  );
  assert.match(
    report.text,
    /\nUnused for 30 days: none\nOutdated and still pulled: none\nRecommendations: 0 followed of 0 shown in 30 days$/,
  );
  assert.doesNotMatch(report.text, /ann|bob/);
  now += day;
  await due();
  assert.equal((await alerts.alerts({ limit: 10 })).items.length, 1);
});

test('a running server sends the alerts of its rules to Slack and by mail', async (t) => {
  const [chat, mail] = [await startHook(t), await startMail(t)];
  const running = await startLocal(dataFolder(t), ['--mail-to', 'team@team.example', '--alerts-per-hour', '1'], {
    WHALEWATCH_SLACK_URL: `${chat.url}/chat`,
    WHALEWATCH_MAIL_SERVER: mail.url(),
  });
  t.after(() => running.kill());
  await running.post('/v1/registry-events', { events: [pullOf('ann', 'team/app'), pullOf('bob', 'team/app')] });
  await eventually(
    30,
    async () => [chat.posted.length, mail.mails.length],
    ([posts, mails]) => posts === 1 && mails === 1,
  );
  assert.match(JSON.parse(chat.posted[0].body).text, /^(ann|bob) pulls for the first time: team\/app$/);
  assert.match(mail.mails[0].text, /^Subject: (ann|bob) pulls for the first time: team\/app\r$/m);
  // Both are in the feed.
  const { items } = await running.get<{ items: unknown[] }>('/v1/alerts');
  assert.equal(items.length, 2);
});
