declare module 'vt-pbf' {
  /** Mapbox vector tile bytes of tiles by layer name. */
  export function fromGeojsonVt(
    layers: Record<string, unknown>,
    options?: { extent?: number; version?: number },
  ): Uint8Array;
}
