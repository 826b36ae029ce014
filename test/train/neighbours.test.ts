// Whichever kind of model won, a repository is similar only to those that at least two users pulled with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#core/bytes/random.ts';
import { servedModel } from '#core/recommender/served.ts';
import { families, fitSetting } from '#train/candidates.ts';
import { trainingOf } from '#train/evaluate.ts';
import { neighboursOf } from '#train/neighbours.ts';

test('neighbours share at least two users, have that count, come nearest first, and never include the repository itself', () => {
  const random = seeded(3);
  const users = Array.from({ length: 40 }, (_, at) => `user${at}`);
  const items = Array.from({ length: 24 }, (_, at) => `repository${at}`);
  // Two communities; the last repository is pulled by one user only.
  const entries = users.flatMap((_, user) =>
    items
      .map((_, item) => ({ user, item, value: 1, firstPull: 0 }))
      .filter(({ item }) => (item === 23 ? user === 0 : item % 2 === user % 2 ? random() < 0.4 : random() < 0.03)),
  );
  const training = trainingOf({ users, items }, entries);
  const both = (a: number, b: number) =>
    users.filter((_, user) => [a, b].every((item) => entries.some((one) => one.user === user && one.item === item)))
      .length;
  for (const { name, starts } of families(items.length, 1e9)) {
    const model = fitSetting(starts[0], training, 1);
    const served = servedModel({ ...model, neighbours: neighboursOf(model, training.byUser) });
    let found = 0;
    for (let item = 0; item < items.length; item++) {
      const near = served.similar(item, 50, () => false);
      found += near.length;
      for (const [at, { item: other, score, shared }] of near.entries()) {
        assert.notEqual(other, item);
        assert.equal(shared, both(item, other), `${name}: ${item} and ${other}`);
        assert.ok(shared >= 2 && score > 0 && (at === 0 || score <= near[at - 1].score));
      }
    }
    assert.ok(found > items.length, `${name}: ${found} neighbours`);
    assert.deepEqual(
      served.similar(23, 50, () => false),
      [],
      `${name}: a single user is not enough`,
    );
  }
});
