// npm run build:land: Natural Earth's land -> functions/core/map/land.ts, which pictures of tiles are drawn over.
import { writeFileSync } from 'node:fs';
import { landRings } from './map/basemap.ts';

/** The file's text; test/core/map/coast.test.ts compares it with the committed file. */
export function landFile(): string {
  const rings = Buffer.from(landRings()).toString('base64');
  return `// Made by npm run build:land (web/map/basemap.ts); read by coast.ts. Natural Earth, public domain.\nexport const LAND =\n  '${rings}';\n`;
}

if (import.meta.main) writeFileSync(new URL('../functions/core/map/land.ts', import.meta.url), landFile());
