// A trained model as one file. Users are not in it: what they are recommended follows from their pulls at request time,
// so forgetting a user needs no change to any model. `docs/recommender.md` has the table of bytes.
import type { AlsOptions } from './als.ts';
import type { CountScale } from './ratings.ts';

/** The nearest repositories of each repository: row r is columns[starts[r] .. starts[r + 1]), nearest first. */
export interface Neighbours {
  starts: Uint32Array;
  columns: Uint32Array;
  similarities: Float32Array;
  /** How many users pulled both. */
  shared: Uint32Array;
}

interface Named {
  /** Repositories; everything else in a model refers to them by their index in this list. */
  items: string[];
  /** Missing in files of version 1. */
  neighbours?: Neighbours;
}

/** Alternating least squares: a user's factors are folded in from their pulls. */
export interface FactorModel extends Named, AlsOptions {
  kind: 'als';
  /** Lambda is multiplied by the number of a row's entries (ALS-WR). */
  weightedLambda: boolean;
  countScale: CountScale;
  /** Row-major, items x rank. */
  factors: Float32Array;
}

/** Weights between repositories: a score is the sum, over the user's pulls, of scaled count x weight. */
export interface WeightModel extends Named {
  kind: 'knn' | 'ease';
  /** The settings it was fitted with, for the card. */
  settings: Record<string, number | string>;
  countScale: CountScale;
  /**
   * Row r holds what a pull of repository r adds to others: columns ascend, so that a weight can be found by binary
   * search.
   */
  starts: Uint32Array;
  columns: Uint32Array;
  weights: Float32Array;
}

/** The same list for everybody. */
export interface PopularModel extends Named {
  kind: 'popular';
  /** Pulls older than so many days don't count; undefined: all count. */
  days?: number;
  /** One score for each repository. */
  scores: Float32Array;
}

/** One of the models of a blend, with the same indices of repositories as the blend. */
export type BlendPart = Omit<FactorModel, keyof Named> | Omit<WeightModel, keyof Named>;

/** Several models as one: the weighted sum, by share, of a user's scores from each model, divided by their spread. */
export interface BlendModel extends Named {
  kind: 'blend';
  /** One for each of `models`, above 0. */
  shares: number[];
  models: BlendPart[];
}

export type Model = FactorModel | WeightModel | PopularModel | BlendModel;
export type ModelKind = Model['kind'];

/** The ALS of Hu, Koren and Volinsky with unscaled counts: the content of files of version 1. */
export const plainAls = { kind: 'als', weightedLambda: false, countScale: 'linear' } as const;

const magic = 'WHALEALS';
const version = 3;
const headBytes = 16;

const arrays = { f32: Float32Array, u32: Uint32Array };
type Values = Float32Array | Uint32Array;
/** Name, type and length of each array, in the order they follow the header. */
type Parts = [name: string, type: keyof typeof arrays, length: number][];

/**
 * Magic, version, length of the header, header (JSON), zeros up to a multiple of 4, then the arrays, little-endian. An
 * array is named by its path: `factors`, `neighbours.starts`, `models.0.weights`.
 */
export function encodeModel(model: Model): Uint8Array {
  const found: [path: string, array: Values][] = [];
  const plain = withoutArrays(model, '', found);
  const parts: Parts = found.map(([path, array]) => [
    path,
    array instanceof Float32Array ? 'f32' : 'u32',
    array.length,
  ]);
  const header = new TextEncoder().encode(JSON.stringify({ ...plain, parts }));
  let at = headBytes + Math.ceil(header.length / 4) * 4;
  const bytes = new Uint8Array(at + found.reduce((sum, [, { byteLength }]) => sum + byteLength, 0));
  bytes.set(new TextEncoder().encode(magic));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, header.length, true);
  bytes.set(header, headBytes);
  for (const [, { buffer, byteOffset, byteLength }] of found) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}

/** Returns a copy without the arrays of numbers, which it adds to `found` with their paths. */
function withoutArrays(value: object, path: string, found: [path: string, array: Values][]): object {
  const rest: Record<string, unknown> = {};
  for (const [name, own] of Object.entries(value)) {
    if (own instanceof Float32Array || own instanceof Uint32Array) found.push([path + name, own]);
    else if (name === 'models')
      rest[name] = (own as object[]).map((each, at) => withoutArrays(each, `${path}models.${at}.`, found));
    else rest[name] = name === 'neighbours' ? withoutArrays(own, `${path}neighbours.`, found) : own;
  }
  return rest;
}

/** @throws Error if the bytes are truncated, are not a model, or are of an unknown version. */
export function decodeModel(bytes: Uint8Array): Model {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headBytes || new TextDecoder().decode(bytes.subarray(0, 8)) !== magic)
    throw new Error('not a model file');
  const written = view.getUint32(8, true);
  if (written < 1 || written > version)
    throw new Error(`model file has version ${written}, this program reads 1 to ${version}: train again`);
  const headerEnd = headBytes + view.getUint32(12, true);
  const start = Math.ceil(headerEnd / 4) * 4;
  if (bytes.length < start)
    throw new Error(`model file is torn: ${bytes.length} bytes, the header alone needs ${start}`);
  const { parts, ...head } = JSON.parse(new TextDecoder().decode(bytes.subarray(headBytes, headerEnd))) as Head;
  const given: Parts = parts ?? [['factors', 'f32', head.items.length * (head.rank as number)]];
  const wanted = given.reduce((sum, [, , length]) => sum + length * 4, 0);
  if (bytes.length - start !== wanted)
    throw new Error(`model file is torn: ${bytes.length - start} bytes of numbers, expected ${wanted}`);
  // Uses views if the bytes are aligned, as they are in a file that was read whole.
  const numbers = (bytes.byteOffset + start) % 4 === 0 ? bytes.subarray(start) : bytes.slice(start);
  let at = numbers.byteOffset;
  const model: Tree = { ...(written === 1 ? plainAls : {}), ...head };
  for (const [path, type, length] of given) {
    const names = path.split('.');
    const last = names.pop() as string;
    let inner = model;
    for (const name of names) {
      inner[name] ??= {};
      inner = inner[name] as Tree;
    }
    inner[last] = new arrays[type](numbers.buffer as ArrayBuffer, at, length);
    at += length * 4;
  }
  return model as unknown as Model;
}

type Tree = { [name: string]: unknown };
type Head = Tree & { items: string[]; parts?: Parts };
