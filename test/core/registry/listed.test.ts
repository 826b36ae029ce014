import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageFact, ManifestInfo } from '#core/registry/images.ts';
import { listedImages } from '#core/registry/listed.ts';

const index = 'application/vnd.oci.image.index.v1+json';
const hex = (letter: string) => `sha256:${letter.repeat(64)}`;
const fact = (
  action: ImageFact['action'],
  letter: string | undefined,
  tag: string | undefined,
  time: number,
  more = {},
) =>
  ({
    ...{ action, time, class: 'human', apart: false, ...more },
    ...(letter ? { digest: hex(letter) } : {}),
    ...(tag ? { tag } : {}),
  }) as ImageFact;
const info = (letter: string, more: Partial<ManifestInfo> = {}): ManifestInfo => ({
  digest: hex(letter),
  size: 10,
  ...more,
});

const listed = (facts: ImageFact[], manifests: ManifestInfo[] = []) =>
  listedImages([{ repository: 'r', facts, manifests }]).map(({ repository, digest, ...row }) => ({
    ...row,
    digest: digest?.[7],
  }));

test('a row is a tag, an index with its platforms, or a manifest that belongs to neither', () => {
  const facts = [
    fact('push', 'a', undefined, 100),
    fact('push', 'b', undefined, 100),
    fact('push', 'c', '1.4', 101),
    fact('push', 'c', 'latest', 102),
    fact('pull', 'b', undefined, 500),
    fact('pull', 'c', 'latest', 400),
    fact('push', 'd', undefined, 90),
  ];
  const infos = [
    info('a'),
    info('b', { size: 5 }),
    info('c', { mediaType: index, references: [hex('a'), hex('b')], size: undefined }),
  ];
  const multi = { digest: 'c', platforms: 2, size: 15, lastPull: 500 };
  assert.deepEqual(listed(facts, infos), [
    { ...multi, tag: 'latest', lastPush: 102 },
    { ...multi, tag: '1.4', lastPush: 101 },
    { digest: 'd', lastPush: 90 },
  ]);
});

test('scanners, mirrors and read-backs don’t count as pulls, and an image from before the first reported push has no push', () => {
  const [row] = listed([
    fact('push', 'a', '1', 100),
    ...(['scanner', 'mirror', 'signature', 'version-check'] as const).map((kind) =>
      fact('pull', 'a', '1', 200, { class: kind }),
    ),
    fact('pull', 'a', '1', 300, { apart: true }),
  ]);
  assert.deepEqual(row, { digest: 'a', tag: '1', lastPush: 100 });
  assert.deepEqual(listed([fact('pull', 'a', '1', 100_000)]), [{ digest: 'a', tag: '1', lastPull: 100_000 }]);
});

test('a deleted image has no row, a moved tag has its new digest, and a signature names its subject', () => {
  const rows = listed([
    fact('push', 'a', '1', 100),
    fact('push', 'b', '1', 200),
    fact('push', 'c', 'gone', 100),
    fact('delete', 'c', undefined, 150),
    fact('push', 'd', `sha256-${'b'.repeat(64)}.sig`, 201),
  ]);
  assert.deepEqual(rows, [
    { digest: 'd', tag: `sha256-${'b'.repeat(64)}.sig`, lastPush: 201, describes: hex('b') },
    { digest: 'b', tag: '1', lastPush: 200 },
    { digest: 'a', lastPush: 100 },
  ]);
});
