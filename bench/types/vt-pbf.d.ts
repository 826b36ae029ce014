declare module 'vt-pbf' {
  import type { AnyProps, Tile } from 'supercluster';
  export function fromGeojsonVt<Site>(
    layers: Record<string, Tile<AnyProps, Site>>,
    options: { version: number; extent: number },
  ): Uint8Array;
}
