// When a push is a retry, or a part, of another one: each edge case.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredEvent } from '#core/event.ts';
import { referencesOf } from '#core/registry/dialects/distribution.ts';
import { coveredPushes, pushReachMs, retryMs } from '#core/registry/push.ts';
import { start, storedEvent } from '../../contracts/samples.ts';

const type = 'application/vnd.oci.image.manifest.v1+json';
const index = 'application/vnd.oci.image.index.v1+json';
const push = (id: string, after: number, more: Partial<StoredEvent> = {}) =>
  storedEvent(id, start + after, {
    ...{ action: 'push', kind: 'manifest', method: 'PUT', user: 'ann', repository: 'app', userAgent: 'docker' },
    ...{ digest: 'sha256:1', tag: '1', mediaType: type, references: [] },
    ...more,
  });
/** Ids of the pushes that do not count on their own. */
const covered = (...pushes: StoredEvent[]) => [...coveredPushes(pushes).keys()].sort();

test('the same push again within the window is a retry: the later one does not count, of two at the same time the one with the later id', () => {
  assert.deepEqual(covered(push('a', 0), push('b', retryMs)), ['b']);
  assert.deepEqual(covered(push('a', 0), push('b', retryMs + 1)), []);
  assert.deepEqual(covered(push('a', 0), push('b', 1)), ['b']);
  assert.deepEqual(covered(push('a', 0), push('b', 0)), ['b']);
  assert.deepEqual(covered(push('b', 0), push('a', 0)), ['b']);
  assert.deepEqual(covered(push('b', 0), push('a', 1)), ['a']);
  for (const more of [{ tag: '2' }, { digest: 'sha256:2' }, { userAgent: 'crane' }])
    assert.deepEqual(covered(push('a', 0), push('b', 1, more)), [], JSON.stringify(more));
});

test('a manifest that an index names, or that is also pushed with a tag, is a part of that push within the window, and not beyond', () => {
  const part = (after: number) => push('part', after, { tag: undefined, digest: 'sha256:2' });
  const whole = push('whole', 0, { mediaType: index, references: ['sha256:2'] });
  for (const after of [-pushReachMs, 0, pushReachMs])
    assert.deepEqual(covered(part(after), whole), ['part'], String(after));
  for (const after of [-pushReachMs - 1, pushReachMs + 1]) assert.deepEqual(covered(part(after), whole), []);
  const other = push('other', 0, { mediaType: index, references: ['sha256:3'] });
  assert.deepEqual(covered(part(0), other), []);
  assert.deepEqual(
    covered(push('part', 0, { digest: 'sha256:2' }), whole),
    [],
    'a tagged manifest is a push of its own',
  );
  assert.deepEqual(covered(push('part', 1, { tag: undefined }), push('whole', 0)), ['part']);
});

test('the size of an image is the sum of the valid sizes of its layers', () => {
  const sized = (...sizes: unknown[]) =>
    referencesOf(sizes.map((size) => ({ mediaType: 'layer', digest: 'd', size }))).size;
  assert.equal(sized(7, 5), 12);
  assert.equal(sized(7, -5, 1.5, '3', undefined, 2 ** 53), 7);
  assert.equal(sized(0), undefined);
});
