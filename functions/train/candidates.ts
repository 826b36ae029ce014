// The candidates of the competition: kinds of models with settings, fitted on some entries.

import { seeded } from '#core/bytes/random.ts';
import { type AlsOptions, checkedAls } from '#core/recommender/als.ts';
import type { Entries } from '#core/recommender/entries.ts';
import {
  type EaseOptions,
  type ItemWeights,
  type KnnOptions,
  knn,
  scaledRows,
} from '#core/recommender/item-weights.ts';
import {
  type BlendModel,
  type BlendPart,
  type FactorModel,
  type Model,
  type PopularModel,
  plainAls,
  type WeightModel,
} from '#core/recommender/model-file.ts';
import { type Rows, release } from '#core/recommender/ratings.ts';
import { easeBytes, easeDense, easeSparse } from './ease.ts';
import { fit } from './kernel.ts';

type AlsSetting = AlsOptions & Pick<FactorModel, 'kind' | 'weightedLambda' | 'countScale'>;
type KnnSetting = { kind: 'knn' } & KnnOptions;
/**
 * `near`: 0 inverts the whole Gram matrix, otherwise each repository is fitted on this many nearest ones; `among`: 0
 * uses all repositories, otherwise this many of the most pulled.
 */
type EaseSetting = { kind: 'ease'; near: number; among: number } & EaseOptions;
type PopularSetting = { kind: 'popular'; days: number };
/** The parts of a blend: at most one of each kind. */
export type PartSetting = AlsSetting | KnnSetting | EaseSetting;
export type BlendSetting = { kind: 'blend'; parts: { share: number; setting: PartSetting }[] };
export type Setting = PartSetting | PopularSetting | BlendSetting;

/** What a model is fitted on. */
export interface Training {
  items: string[];
  entries: Entries;
  /** The same entries with a row per user. */
  byUser: Rows;
}

export const isPart = (setting: Setting): setting is PartSetting =>
  setting.kind === 'als' || setting.kind === 'knn' || setting.kind === 'ease';

export const seedAls = (given: Partial<AlsOptions> = {}): AlsSetting => ({ ...plainAls, ...checkedAls(given) });
const all = Number.POSITIVE_INFINITY;
const popularOf = (days: number = all): PopularSetting => ({ kind: 'popular', days });

const dayMs = 86_400_000;

/**
 * Fits one setting. The same seed gives the same bits.
 *
 * @throws RangeError if it does not fit into memory, or overflows single precision.
 */
export function fitSetting(setting: Setting, { items, entries, byUser }: Training, seed: number): Model {
  if (setting.kind === 'popular') return popularModel(setting, items, entries);
  if (setting.kind === 'blend')
    return blended(setting, items, (part) => fitSetting(part, { items, entries, byUser }, seed));
  if (setting.kind === 'als') {
    const rows = scaledRows(byUser, items.length, setting.countScale);
    const { items: factors } = fit(rows, items.length, setting, seeded(seed));
    release(rows.values);
    if (!factors.every(Number.isFinite))
      throw new RangeError(
        `its factors overflow single precision: raise lambda (${setting.lambda}) or lower rank (${setting.rank})`,
      );
    return { ...setting, items, factors };
  }
  const { kind, countScale, ...settings } = setting;
  const weights = setting.kind === 'knn' ? knn(byUser, items.length, setting) : ease(setting, byUser, items.length);
  return { kind, countScale, settings, items, ...weights } as WeightModel;
}

/** The blend of the models that `fit` returns for each part, in the order of the setting. */
export function blended({ parts }: BlendSetting, items: string[], fit: (part: PartSetting) => Model): BlendModel {
  const models = parts.map(({ setting }) => {
    const { items: _, neighbours: __, ...part } = fit(setting);
    return part as BlendPart;
  });
  return { kind: 'blend', items, shares: parts.map(({ share }) => share), models };
}

function popularModel({ days }: PopularSetting, items: string[], entries: Entries): PopularModel {
  const scores = new Float32Array(items.length);
  let newest = 0;
  entries.forEach(({ firstPull = 0 }) => {
    newest = Math.max(newest, firstPull);
  });
  entries.forEach(({ item, firstPull = 0 }) => {
    if (newest - firstPull <= days * dayMs) scores[item]++;
  });
  return { kind: 'popular', ...(days === all ? {} : { days }), items, scores };
}

function ease({ near, among, ...options }: EaseSetting, byUser: Rows, items: number): ItemWeights {
  const weights = (rows: Rows, count: number) =>
    near === 0 ? easeDense(rows, count, options) : easeSparse(rows, count, near, options);
  if (among === 0 || among >= items) return weights(byUser, items);
  // The block of the most pulled repositories; the others have no weights.
  const pulled = new Float64Array(items);
  for (const column of byUser.columns) pulled[column]++;
  const chosen = Uint32Array.from(pulled.keys())
    .sort((a, b) => pulled[b] - pulled[a] || a - b)
    .slice(0, among)
    .sort();
  const place = new Int32Array(items).fill(-1);
  chosen.forEach((item, at) => {
    place[item] = at;
  });
  const starts = new Uint32Array(byUser.starts.length);
  let count = 0;
  const columns = new Uint32Array(byUser.columns.length);
  const values = new Float32Array(byUser.columns.length);
  for (let user = 0; user + 1 < byUser.starts.length; user++) {
    for (let at = byUser.starts[user]; at < byUser.starts[user + 1]; at++)
      if (place[byUser.columns[at]] >= 0) {
        columns[count] = place[byUser.columns[at]];
        values[count++] = byUser.values[at];
      }
    starts[user + 1] = count;
  }
  const block = weights({ starts, columns: columns.subarray(0, count), values: values.subarray(0, count) }, among);
  const sources = new Uint32Array(items + 1);
  for (let item = 0; item < items; item++) {
    const at = place[item];
    sources[item + 1] = sources[item] + (at < 0 ? 0 : block.starts[at + 1] - block.starts[at]);
  }
  return { starts: sources, columns: block.columns.map((column) => chosen[column]), weights: block.weights };
}

/** A family of settings: the search begins at the best of `starts`; each axis has its possible values in order. */
export interface Family {
  name: string;
  starts: Setting[];
  axes: Record<string, readonly (number | string | boolean)[]>;
}

/** The most weights kept for each repository. */
const keep = 200;
/** Up to this many repositories the whole Gram matrix is inverted and every weight kept: a file of at most 34 MB. */
const mostDense = 2048;
/** The number of nearest repositories in the sparse form, with which settings are tried. */
const near = 100;

/** The families that compete, as large as `items` repositories and `memoryBytes` allow. */
export function families(items: number, memoryBytes: number): Family[] {
  const fits = Math.floor(Math.sqrt(memoryBytes / 2 / 4));
  const among = easeBytes(items) <= memoryBytes / 2 ? 0 : fits;
  return [
    {
      name: 'ease',
      starts: [
        { ...{ kind: 'ease', lambda: 50, denoise: 0.1, countScale: 'log', keep }, ...{ near, among } },
        { ...{ kind: 'ease', lambda: 400, denoise: 0, countScale: 'binary', keep }, ...{ near, among } },
      ],
      axes: {
        lambda: [1, 3, 10, 20, 50, 100, 200, 400, 1000, 3000],
        denoise: [0, 0.1, 0.3, 1],
        countScale: ['binary', 'log'],
      },
    },
    {
      name: 'knn',
      starts: [
        {
          ...{ kind: 'knn', k: 100, shrink: 0, sourcePower: 0.8, targetPower: 0.35 },
          ...{ userWeight: 'degree', countScale: 'log' },
        },
      ],
      axes: {
        userWeight: ['none', 'idf', 'degree'],
        targetPower: [0, 0.2, 0.35, 0.5, 0.65, 0.8],
        sourcePower: [0.2, 0.35, 0.5, 0.65, 0.8, 1],
        k: [10, 20, 50, 100, 200, 500],
        shrink: [0, 1, 3, 10, 30, 100],
        countScale: ['binary', 'log'],
      },
    },
    {
      name: 'als',
      starts: [
        {
          ...{ kind: 'als', rank: 64, iterations: 8, lambda: 0.3, alpha: 2 },
          ...{ weightedLambda: true, countScale: 'log' },
        },
        {
          ...{ kind: 'als', rank: 32, iterations: 8, lambda: 10, alpha: 0.5 },
          ...{ weightedLambda: false, countScale: 'log' },
        },
        { ...seedAls(), countScale: 'log' },
      ],
      axes: {
        lambda: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
        alpha: [0.15, 0.5, 1, 2, 5, 15, 40],
        rank: [8, 16, 32, 64, 96, 128],
        countScale: ['binary', 'log'],
        iterations: [4, 8, 15],
        weightedLambda: [true, false],
      },
    },
    ...popularFamilies,
  ];
}

export const popularFamilies: Family[] = [
  { name: 'popular', starts: [popularOf()], axes: {} },
  { name: 'popular-recent', starts: [popularOf(30)], axes: { days: [3, 7, 14, 21, 30, 60, 120] } },
];

type Shown = Record<string, number | string | boolean>;

/** A setting as it was before `shown`. */
export function settingOf(kind: Setting['kind'], settings: Shown): Setting {
  if (kind === 'popular') return popularOf(settings.days as number | undefined);
  if (kind !== 'blend') return { kind, ...settings } as Setting;
  const parts = Object.entries(Object.groupBy(Object.entries(settings), ([name]) => name.split('.')[0]));
  return {
    kind,
    parts: parts.map(([part, own = []]) => {
      const { share, ...rest } = Object.fromEntries(own.map(([name, value]) => [name.slice(part.length + 1), value]));
      return { share: share as number, setting: settingOf(part as PartSetting['kind'], rest) as PartSetting };
    }),
  };
}

/**
 * The setting found with the sparse form, but with the whole inverse if all of its weights can be served. If the
 * weights had to be cut to the strongest, the sparse form would be better, because it is fitted to use fewer.
 */
export function finished<Of extends Setting>(setting: Of, items: number): Of {
  if (setting.kind !== 'ease') return setting;
  return items <= mostDense ? { ...setting, near: 0, keep: items } : setting;
}

/**
 * Settings as a card shows them: without the kind and what does not apply. Those of a part are named like
 * `ease.lambda`.
 */
export function shown(setting: Setting): Shown {
  if (setting.kind === 'blend')
    return Object.fromEntries(
      setting.parts.flatMap(({ share, setting: part }) =>
        Object.entries({ share, ...shown(part) }).map(([name, value]) => [`${part.kind}.${name}`, value]),
      ),
    );
  const { kind, ...settings } = setting;
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== all));
}
