/// <reference types="vite/client" />

// Addresses of the base map, which vite.config.ts cuts from world-atlas at build time.
declare module 'virtual:basemap' {
  /** Land at 1:110 million: shown at once. */
  export const coarse: string;
  /** Land at 1:50 million, for zooms past 2.6. */
  export const fine: string;
  /** Countries by name, to say in words where a point is. */
  export const named: string;
  /** Cities by name, from zoom 4 on. */
  export const places: string;
}
