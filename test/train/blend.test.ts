import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#core/bytes/random.ts';
import type { Entry } from '#core/recommender/entries.ts';
import { servedModel } from '#core/recommender/served.ts';
import { bestBlend } from '#train/blend.ts';
import { families, fitSetting, isPart, settingOf, shown } from '#train/candidates.ts';
import { foldsOf } from '#train/compete.ts';
import { byServing, judgeOf, trainingOf } from '#train/evaluate.ts';

/** Users of three groups pull most of their group's ten repositories, on one to three days, and a few of others. */
const entries: Entry[] = [];
const random = seeded(5);
for (let user = 0; user < 60; user++)
  for (let item = 0; item < 30; item++)
    if (random() < (item % 3 === user % 3 ? 0.7 : 0.1))
      entries.push({ user, item, value: 1 + Math.floor(random() * 3) });
const names = {
  users: Array.from({ length: 60 }, (_, at) => `u${at}`),
  items: Array.from({ length: 30 }, (_, at) => `r${at}`),
};
const settings = families(30, 1e9)
  .map(({ starts }) => starts[0])
  .filter(isPart);

test("a blend's scores are the sums of its reasons, and of its parts' scores divided by their spread", () => {
  const training = trainingOf(names, entries);
  const parts = settings.map((setting, n) => ({ share: (n + 1) / 6, setting }));
  const blend = servedModel(fitSetting({ kind: 'blend', parts }, training, 1));
  const alone = settings.map((setting) => servedModel(fitSetting(setting, training, 1)));
  const { starts, columns, values } = training.byUser;
  for (let user = 0; user < 60; user++) {
    const [from, to] = [starts[user], starts[user + 1]];
    const history = { items: [...columns.subarray(from, to)], counts: [...values.subarray(from, to)] };
    const taste = blend.taste(history);
    const each = alone.map((model) => Float64Array.from(model.taste(history).scores()));
    const spreads = each.map((scores) => Math.sqrt(scores.reduce((sum, score) => sum + score ** 2, 0) / 30));
    for (let item = 0; item < 30; item++) {
      const score = taste.scores()[item];
      const expected = each.reduce((sum, scores, n) => sum + (((n + 1) / 6) * scores[item]) / spreads[n], 0);
      assert.ok(Math.abs(score - expected) < 1e-4, `user ${user}, item ${item}: ${score}, not ${expected}`);
      const sum = taste.parts(item).reduce((sum, part) => sum + part, 0);
      assert.ok(Math.abs(score - sum) < 1e-3, `user ${user}, item ${item}: parts come to ${sum}, not ${score}`);
    }
  }
});

test('the chosen shares are the best of all, judged as the blend is served', () => {
  const worlds = foldsOf(entries, 2, seeded(2)).map((fold) => judgeOf(names, fold, 1, 1000));
  const scoreOf = (shares: number[]) => {
    const parts = shares
      .map((share, n) => ({ share: share / 8, setting: settings[n] }))
      .filter(({ share }) => share > 0);
    return worlds.reduce((sum, { training, judge }) => {
      const model = servedModel(fitSetting({ kind: 'blend', parts }, training, 1));
      return sum + (judge(byServing(model, training.byUser)).scores.ndcg ?? 0);
    }, 0);
  };
  const found = bestBlend(settings, worlds, 1);
  const shares = settings.map(({ kind }) => 8 * (found.parts.find(({ setting }) => setting.kind === kind)?.share ?? 0));
  const best = scoreOf(shares);
  for (let a = 0; a <= 8; a++)
    for (let b = 0; a + b <= 8; b++) {
      const other = [a, b, 8 - a - b];
      if (other.filter((share) => share > 0).length > 1)
        assert.ok(scoreOf(other) <= best + 1e-3, `${other} is better than ${shares}`);
    }
});

test('the settings of a blend are read back unchanged from its model card', () => {
  const parts = settings.map((setting, n) => ({ share: (n + 1) / 6, setting }));
  const setting = { kind: 'blend', parts } as const;
  assert.deepEqual(settingOf('blend', JSON.parse(JSON.stringify(shown(setting)))), setting);
});
