// A tile as a picture, for places that cannot run WebGL: e-mail, READMEs, old browsers. Discs with their count, on land
// and sea or on a transparent background.
import { landCover } from './coast.ts';
import { EXTENT, type TileItems } from './pyramid.ts';

export interface Picture {
  width: number;
  height: number;
  /** Red, green, blue, alpha; straight, not premultiplied. */
  pixels: Uint8Array;
}

export type Theme = 'light' | 'dark';

interface Style {
  fill: Colour;
  text: Colour;
}
type Colour = [red: number, green: number, blue: number];

/** From few to many, with the map page's colours: darker on light, lighter on dark. */
const styles: Record<Theme, { sea: Colour; land: Colour; ring: Colour; classes: Style[] }> = {
  light: {
    sea: [217, 230, 236],
    land: [248, 250, 250],
    ring: [15, 111, 117],
    classes: [
      { fill: [143, 207, 200], text: [8, 42, 42] },
      { fill: [58, 163, 157], text: [4, 32, 31] },
      { fill: [15, 111, 117], text: [255, 255, 255] },
      { fill: [10, 60, 80], text: [255, 255, 255] },
    ],
  },
  dark: {
    sea: [11, 22, 29],
    land: [26, 43, 54],
    ring: [11, 22, 29],
    classes: [
      { fill: [43, 127, 134], text: [255, 255, 255] },
      { fill: [58, 168, 160], text: [6, 35, 31] },
      { fill: [143, 217, 189], text: [6, 35, 31] },
      { fill: [255, 225, 166], text: [42, 28, 0] },
    ],
  },
};

/**
 * Colour class and disc radius (in pixels of a 512-pixel tile) by count, in powers of ten. The largest disc is well
 * within the margin.
 */
function sizeOf(count: number): { step: number; radius: number } {
  if (count === 1) return { step: 0, radius: 5 };
  const digits = Math.log10(count);
  return { step: Math.min(3, Math.floor(digits)), radius: Math.min(30, 11 + 4.5 * digits) };
}

/** The land and sea of a tile, as the background of its items. Exact up to LAND_ZOOM. */
export function drawLand(zoom: number, x: number, y: number, size: number, theme: Theme): Picture {
  const { sea, land } = styles[theme];
  const cover = landCover(zoom, x, y, size);
  const pixels = new Uint8Array(4 * size * size);
  for (let i = 0; i < cover.length; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = Math.round(sea[c] + cover[i] * (land[c] - sea[c]));
    pixels[4 * i + 3] = 255;
  }
  return { width: size, height: size, pixels };
}

/** An empty picture. */
export function clear(size: number): Picture {
  return { width: size, height: size, pixels: new Uint8Array(4 * size * size) };
}

/** Draws a tile's items on a picture. Neighbouring pictures fit together: both draw what crosses their border. */
export function drawTile(tile: TileItems, picture: Picture, theme: Theme): Picture {
  const size = picture.width;
  const scale = size / EXTENT;
  const { ring, classes } = styles[theme];
  // Draws small items last, ties by leaf: the same order in every tile that has them.
  const order = Array.from({ length: tile.length }, (_, i) => i).sort(
    (a, b) => tile.count(b) - tile.count(a) || tile.leafStart(a) - tile.leafStart(b),
  );
  for (const i of order) {
    const { step, radius } = sizeOf(tile.count(i));
    const { fill, text } = classes[step];
    const [x, y, pixels] = [tile.x(i) * scale, tile.y(i) * scale, (radius * size) / 512];
    disc(picture, x, y, pixels + (1.5 * size) / 512, ring);
    disc(picture, x, y, pixels, fill);
    if (tile.count(i) > 1) write(picture, x, y, shortCount(tile.count(i)), (13 * size) / 512, text);
  }
  return picture;
}

/** 999, 1.2k, 15k, 1.2M: at most four characters. */
export function shortCount(count: number): string {
  if (count < 1000) return String(count);
  const [unit, letter] = count < 999_500 ? [1000, 'k'] : [1_000_000, 'M'];
  const value = count / unit;
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)}${letter}`;
}

function disc(picture: Picture, x: number, y: number, radius: number, colour: Colour): void {
  paint(
    picture,
    x - radius,
    y - radius,
    x + radius,
    y + radius,
    colour,
    (px, py) => radius - Math.hypot(px - x, py - y),
  );
}

// Characters as strokes in a box 4 wide and 6 high, y down; curves are polylines.
const STROKES: Record<string, number[][]> = {
  0: [[2, 0, 3.3, 0.5, 4, 2, 4, 4, 3.3, 5.5, 2, 6, 0.7, 5.5, 0, 4, 0, 2, 0.7, 0.5, 2, 0]],
  1: [[0.6, 1.2, 2.3, 0, 2.3, 6]],
  2: [[0.1, 1.4, 0.7, 0.4, 2, 0, 3.3, 0.4, 3.8, 1.5, 3.4, 2.7, 0, 6, 4, 6]],
  3: [
    [0.2, 0.9, 1, 0.2, 2, 0, 3.2, 0.4, 3.7, 1.4, 3.2, 2.4, 1.6, 2.8, 3.3, 3.2, 4, 4.4, 3.4, 5.5, 2, 6, 0.8, 5.8, 0, 5],
  ],
  4: [[3, 6, 3, 0, 0, 4.3, 4, 4.3]],
  5: [[3.6, 0, 0.7, 0, 0.4, 2.7, 1.9, 2.2, 3.3, 2.7, 4, 4, 3.4, 5.4, 2, 6, 0.8, 5.8, 0.1, 5]],
  6: [
    [3.5, 0.6, 2.3, 0, 1, 0.6, 0.2, 2.2, 0, 4, 0.6, 5.4, 2, 6, 3.4, 5.4, 4, 4.1, 3.4, 2.9, 2.1, 2.4, 0.8, 2.9, 0.1, 4],
  ],
  7: [[0, 0, 4, 0, 1.4, 6]],
  8: [
    [
      2, 2.8, 0.7, 2.3, 0.3, 1.4, 0.8, 0.4, 2, 0, 3.2, 0.4, 3.7, 1.4, 3.3, 2.3, 2, 2.8, 0.6, 3.3, 0, 4.4, 0.6, 5.5, 2,
      6, 3.4, 5.5, 4, 4.4, 3.4, 3.3, 2, 2.8,
    ],
  ],
  9: [
    [0.5, 5.4, 1.7, 6, 3, 5.4, 3.8, 3.8, 4, 2, 3.4, 0.6, 2, 0, 0.6, 0.6, 0, 1.9, 0.6, 3.1, 1.9, 3.6, 3.2, 3.1, 3.9, 2],
  ],
  k: [
    [0.2, 0, 0.2, 6],
    [3.3, 2.2, 0.2, 4.6],
    [1.4, 3.7, 3.6, 6],
  ],
  M: [[0, 6, 0, 0, 2.3, 3.6, 4.6, 0, 4.6, 6]],
  '.': [[0.3, 5.8, 0.3, 5.9]],
};
const widths: Record<string, number> = { '.': 0.6, M: 4.6, k: 3.6 };

/** Draws text centred on x, y; height in pixels. */
function write(picture: Picture, x: number, y: number, text: string, height: number, colour: Colour): void {
  const unit = height / 7.5;
  const half = 0.42 * unit + 0.25;
  const width = [...text].reduce((sum, letter) => sum + (widths[letter] ?? 4) + 1.3, -1.3);
  let left = x - (width * unit) / 2;
  const top = y - 3 * unit;
  for (const letter of text) {
    for (const corners of STROKES[letter]) {
      for (let c = 0; c + 3 < corners.length; c += 2) {
        const [ax, ay, bx, by] = [0, 1, 2, 3].map((k) => (k % 2 ? top : left) + corners[c + k] * unit);
        const [dx, dy] = [bx - ax, by - ay];
        const square = dx * dx + dy * dy || 1;
        paint(
          picture,
          Math.min(ax, bx) - half,
          Math.min(ay, by) - half,
          Math.max(ax, bx) + half,
          Math.max(ay, by) + half,
          colour,
          (px, py) => {
            const along = Math.max(0, Math.min(1, ((px - ax) * dx + (py - ay) * dy) / square));
            return half - Math.hypot(px - ax - along * dx, py - ay - along * dy);
          },
        );
      }
    }
    left += ((widths[letter] ?? 4) + 1.3) * unit;
  }
}

/**
 * Blends a colour into the picture where `inside` (the distance from the edge in pixels, positive inside) is positive;
 * the edge is antialiased.
 */
function paint(
  { width, height, pixels }: Picture,
  west: number,
  north: number,
  east: number,
  south: number,
  colour: Colour,
  inside: (x: number, y: number) => number,
): void {
  for (let py = Math.max(0, Math.floor(north - 1)); py < Math.min(height, south + 1); py++) {
    for (let px = Math.max(0, Math.floor(west - 1)); px < Math.min(width, east + 1); px++) {
      const cover = Math.min(1, inside(px + 0.5, py + 0.5) + 0.5);
      if (cover <= 0) continue;
      const at = 4 * (py * width + px);
      const under = (pixels[at + 3] / 255) * (1 - cover);
      const alpha = cover + under;
      for (let c = 0; c < 3; c++) pixels[at + c] = Math.round((colour[c] * cover + pixels[at + c] * under) / alpha);
      pixels[at + 3] = Math.round(alpha * 255);
    }
  }
}

/**
 * The picture as PNG (ISO/IEC 15948), 8-bit RGBA. `deflate` makes a zlib stream: zlib.deflateSync, or
 * CompressionStream's 'deflate' in a browser.
 */
export function encodePng(
  { width, height, pixels }: Picture,
  deflate: (bytes: Uint8Array) => Uint8Array,
): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, 6, 0, 0, 0], 8);
  // Every row uses the filter "up": transparent rows and the insides of discs become zeros.
  const stride = 4 * width;
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    rows[y * (stride + 1)] = 2;
    for (let i = 0; i < stride; i++)
      rows[y * (stride + 1) + 1 + i] = pixels[y * stride + i] - (y > 0 ? pixels[(y - 1) * stride + i] : 0);
  }
  const chunks = [chunk('IHDR', head), chunk('IDAT', deflate(rows)), chunk('IEND', new Uint8Array(0))];
  const file = new Uint8Array(8 + chunks.reduce((sum, { length }) => sum + length, 0));
  file.set([137, 80, 78, 71, 13, 10, 26, 10]);
  let at = 8;
  for (const part of chunks) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
