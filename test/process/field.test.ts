// Situations that registry operators reported in public, each through the whole stage: from the posted notification to
// the API's results.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifier } from '#core/registry/classify.ts';
import { normalise } from '#core/registry/normalise.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { storeEvents } from '#process/pulls.ts';
import { repositoryRoutes } from '#serve/registry/repositories.ts';

const day = 86_400_000;
const now = Date.parse('2026-06-20T12:00:00Z');
const manifest = 'application/vnd.oci.image.manifest.v1+json';
const index = 'application/vnd.oci.image.index.v1+json';
const hex = (letter: string) => `sha256:${letter.repeat(64)}`;

interface Said {
  /** Milliseconds before now. */
  ago?: number;
  action?: 'pull' | 'push' | 'delete';
  method?: string;
  tag?: string;
  digest?: string;
  mediaType?: string;
  references?: object[];
  client?: string;
  user?: string;
}

let ids = 0;
const notice = ({ ago = 1000, action = 'pull', ...said }: Said) => ({
  events: [
    {
      id: `${++ids}`,
      timestamp: new Date(now - ago).toISOString(),
      action,
      target: {
        ...{ mediaType: said.mediaType ?? manifest, size: 500, repository: 'team/app' },
        ...{ digest: said.digest, tag: said.tag, references: said.references },
      },
      request: {
        ...{
          addr: '198.51.100.7:40112',
          host: 'registry.example',
          useragent: said.client ?? 'docker/28.1.1 go/go1.23.8',
        },
        method: said.method ?? (action === 'push' ? 'PUT' : action === 'delete' ? 'DELETE' : 'GET'),
      },
      actor: { name: said.user ?? 'ann' },
      source: { addr: 'registry:5000' },
    },
  ],
});
const harbor = (seconds: number, tag: string, digest: string) => ({
  ...{ type: 'PULL_ARTIFACT', occur_at: now / 1000 + seconds, operator: 'alice' },
  event_data: {
    resources: [{ digest, tag, resource_url: `hub.example/team/app@${digest}` }],
    repository: { name: 'app', namespace: 'team', repo_full_name: 'team/app', repo_type: 'private' },
  },
});

async function world(posts: object[]) {
  const stores = { events: openEvents(':memory:', () => now), search: openSearch(':memory:') };
  const options = { ...stores, locator: { locate: () => undefined }, classify: classifier(), pullWindowSeconds: 2 };
  const events = posts.flatMap((post) => normalise(post as never, { receivedAt: now }).events);
  await storeEvents(
    events.map((event, at) => ({ event, origin: `s:${at}:0` })),
    options,
  );
  const app = repositoryRoutes({ search: stores.search, clock: () => now } as never);
  const get = async (path: string) => (await app.request(path)).json();
  const pulls = await get('/v1/pulls?repository=team/app&by=class');
  return { pulls, unused: (await get('/v1/unused?days=30')).items, popular: await get('/v1/repositories') };
}

const helm = { client: 'Helm/3.18', digest: hex('a') };
const platforms = ['1', '2', '3'].map((letter) => ({ mediaType: manifest, digest: hex(letter) }));
const old = 40 * day;
const multi = [
  ...platforms.map(({ digest }, at) =>
    notice({ action: 'push', ago: old - at * 50, digest, client: 'buildkit/v0.21' }),
  ),
  notice({
    action: 'push',
    ago: old - 300,
    digest: hex('5'),
    tag: '2.0',
    mediaType: index,
    references: platforms,
    client: 'buildkit/v0.21',
  }),
];

const counts: [string, object[], { pulls: number; raw: number; pushes: number; rawPushes: number }][] = [
  [
    'helm push reads its manifest back before the tag',
    [
      notice({ action: 'push', ago: 900, ...helm }),
      notice({ ago: 890, ...helm }),
      notice({ action: 'push', ago: 880, tag: '1', ...helm }),
    ],
    { pulls: 0, raw: 1, pushes: 1, rawPushes: 2 },
  ],
  ['buildx push of one tag', multi, { pulls: 0, raw: 0, pushes: 1, rawPushes: 4 }],
  [
    'a pull-through cache requests the tag twice',
    [
      notice({ method: 'HEAD', ago: 900, tag: '1', digest: hex('a') }),
      notice({ ago: 850, tag: '1', digest: hex('a') }),
    ],
    { pulls: 1, raw: 2, pushes: 0, rawPushes: 0 },
  ],
  [
    'Harbor reports an index and its platform separately',
    [harbor(0, hex('3'), hex('3')), harbor(0, hex('4'), hex('4'))],
    { pulls: 1, raw: 2, pushes: 0, rawPushes: 0 },
  ],
  [
    'Harbor, by tag',
    [harbor(0, '7', hex('3')), harbor(0, hex('4'), hex('4'))],
    { pulls: 1, raw: 2, pushes: 0, rawPushes: 0 },
  ],
];
for (const [name, posts, total] of counts)
  test(name, async () => {
    const { pulls } = await world(posts);
    assert.deepEqual(pulls.total, total);
    assert.equal(pulls.upperBound, name.startsWith('Harbor'));
  });

test("a HEAD followed by a GET is one pull of the GET's class, whatever the client", async () => {
  for (const client of ['Helm/4.0.0', 'OpenTofu/1.10.0', 'kitops-cli/1.5', 'something/1']) {
    const { pulls } = await world([
      notice({ method: 'HEAD', ago: 900, tag: '1', digest: hex('e'), client }),
      notice({ ago: 850, digest: hex('e'), client }),
    ]);
    assert.equal(pulls.total.pulls, 1, client);
    assert.deepEqual(
      pulls.buckets.map(({ key, raw }: { key: string; raw: number }) => [key === 'version-check', raw]),
      [[false, 2]],
      client,
    );
  }
});

test('an index in use keeps its platforms, and an image its signature and SBOM', async () => {
  const { unused } = await world([
    ...multi,
    notice({ method: 'HEAD', tag: '2.0', digest: hex('5'), mediaType: index }),
    notice({ digest: hex('1') }),
  ]);
  assert.deepEqual(unused, []);
  const signed = await world([
    notice({ action: 'push', ago: old, tag: 'v1', digest: hex('a') }),
    notice({
      action: 'push',
      ago: old - 999,
      tag: `sha256-${'a'.repeat(64)}.sig`,
      digest: hex('b'),
      references: [{ mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', digest: hex('c') }],
    }),
    notice({
      action: 'push',
      ago: old - 1999,
      digest: hex('d'),
      references: [{ mediaType: 'application/vnd.cyclonedx+json', digest: hex('e') }],
    }),
    notice({ digest: hex('a'), client: 'containerd/2.1.4' }),
  ]);
  assert.deepEqual(signed.unused, []);
});

test('a delete command is offered only if all references were reported', async () => {
  const told = [{ mediaType: 'application/vnd.oci.image.config.v1+json', digest: hex('f'), size: 12 }];
  const [row] = (await world([notice({ action: 'push', ago: old, tag: 'v1', digest: hex('a'), references: told })]))
    .unused;
  assert.deepEqual(
    [row.confidence, row.dryRun, row.size, row.reason],
    ['known', `DELETE /v2/team/app/manifests/${hex('a')}`, 12, 'never pulled'],
  );
  const [other] = (await world([notice({ action: 'push', ago: old, tag: 'v1', digest: hex('a') })])).unused;
  assert.deepEqual([other.confidence, other.dryRun, other.size], ['unknown references', undefined, null]);
});

test('a deletion counts: by digest, by tag, or of the whole repository', async () => {
  const push = (ago: number) => notice({ action: 'push', ago, tag: 'old', digest: hex('6') });
  for (const gone of [{ digest: hex('6') }, { tag: 'old' }, {}]) {
    const { unused, popular, pulls } = await world([push(old), notice({ action: 'delete', ago: old - 5000, ...gone })]);
    assert.deepEqual([unused, popular, pulls.total.rawPushes], [[], [], 1]);
    const again = await world([push(old), notice({ action: 'delete', ago: old - 5000, ...gone }), push(old - 9000)]);
    assert.deepEqual([again.unused.length, again.popular.length], [1, 1]);
  }
});
