// Pictures made of ellipses and noise, alike enough to anatomy that viewers window them sensibly and
// codecs compress them as they do real ones.
import { Prng } from './prng.js';

/** Centre and radii are in units of half the picture, from -1 to 1; y points down. */
interface Ellipse {
  readonly x: number;
  readonly y: number;
  readonly rx: number;
  readonly ry: number;
  readonly value: number;
}

export interface Raster {
  readonly rows: number;
  readonly columns: number;
}

function fill(pixels: Uint16Array, { rows, columns }: Raster, { x, y, rx, ry, value }: Ellipse): void {
  const halfRows = rows / 2;
  const halfColumns = columns / 2;
  const top = Math.max(0, Math.ceil((y - ry + 1) * halfRows));
  const bottom = Math.min(rows - 1, Math.floor((y + ry + 1) * halfRows));
  for (let row = top; row <= bottom; row += 1) {
    const dy = ((row + 0.5) / halfRows - 1 - y) / ry;
    const reach = 1 - dy * dy;
    if (reach <= 0) continue;
    const half = rx * Math.sqrt(reach);
    const left = Math.max(0, Math.ceil((x - half + 1) * halfColumns));
    const right = Math.min(columns, Math.floor((x + half + 1) * halfColumns));
    if (right > left) pixels.fill(value, row * columns + left, row * columns + right);
  }
}

/** Adds noise, and keeps every sample within 12 bits. */
function grain(pixels: Uint16Array, prng: Prng, deviation: number): void {
  for (let at = 0; at < pixels.length; at += 1) {
    const value = (pixels[at] ?? 0) + Math.round(prng.noise(deviation));
    pixels[at] = Math.max(0, Math.min(4095, value));
  }
}

/** The samples as they are stored: 16 bits, little-endian. */
function stored(pixels: Uint16Array): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(pixels.length * 2);
  for (let at = 0; at < pixels.length; at += 1) bytes.writeUInt16LE(pixels[at] ?? 0, at * 2);
  return bytes;
}

/**
 * One axial slice of a chest: 12 bits, Hounsfield units + 1024.
 * @param level from 0 (apex of the lungs) to 1 (diaphragm).
 */
export function drawChest(raster: Raster, level: number, seed: number): Uint8Array {
  const pixels = new Uint16Array(raster.rows * raster.columns).fill(24);
  const lung = 0.12 + 0.3 * Math.sqrt(Math.max(0, Math.min(1, level * 1.4)) * (1.25 - level));
  const shapes: readonly Ellipse[] = [
    { x: 0, y: 0.78, rx: 0.9, ry: 0.05, value: 840 },
    { x: 0, y: 0, rx: 0.86, ry: 0.62, value: 924 },
    { x: 0, y: 0, rx: 0.8, ry: 0.56, value: 1070 },
    { x: -0.42, y: -0.02, rx: lung * 0.85, ry: lung * 1.15, value: 170 },
    { x: 0.42, y: -0.02, rx: lung * 0.85, ry: lung * 1.15, value: 170 },
    { x: 0.1, y: -0.12, rx: 0.1 + 0.14 * level, ry: 0.1 + 0.12 * level, value: 1075 },
    { x: -0.06, y: 0.2, rx: 0.05, ry: 0.05, value: 1200 },
    { x: 0, y: 0.36, rx: 0.1, ry: 0.09, value: 1600 },
    { x: 0, y: 0.36, rx: 0.06, ry: 0.05, value: 1300 },
    { x: 0, y: 0.48, rx: 0.025, ry: 0.08, value: 1700 },
    { x: 0, y: -0.5, rx: 0.06, ry: 0.03, value: 1550 },
    { x: 0.46, y: 0.06, rx: 0.02, ry: 0.02, value: level > 0.4 && level < 0.6 ? 1100 : 170 },
  ];
  for (const shape of shapes) fill(pixels, raster, shape);
  grain(pixels, new Prng(seed), 14);
  return stored(pixels);
}

/** One axial slice of a head, as a magnetic resonance image: 12 bits. */
export function drawHead(raster: Raster, level: number, seed: number): Uint8Array {
  const pixels = new Uint16Array(raster.rows * raster.columns);
  const size = 0.45 + 0.4 * Math.sqrt(Math.max(0, 1 - (2 * level - 1) ** 2));
  const shapes: readonly Ellipse[] = [
    { x: 0, y: 0, rx: 0.82 * size, ry: size, value: 1500 },
    { x: 0, y: 0, rx: 0.77 * size, ry: 0.94 * size, value: 120 },
    { x: 0, y: 0, rx: 0.72 * size, ry: 0.88 * size, value: 720 },
    { x: 0, y: 0, rx: 0.6 * size, ry: 0.76 * size, value: 960 },
    { x: -0.12 * size, y: -0.05, rx: 0.07 * size, ry: 0.25 * size, value: 280 },
    { x: 0.12 * size, y: -0.05, rx: 0.07 * size, ry: 0.25 * size, value: 280 },
  ];
  for (const shape of shapes) fill(pixels, raster, shape);
  grain(pixels, new Prng(seed), 22);
  return stored(pixels);
}

/** One mammogram, breast towards the right of the picture: 12 bits, tissue texture and a few calcifications. */
export function drawBreast(raster: Raster, seed: number): Uint8Array {
  const { rows, columns } = raster;
  const prng = new Prng(seed);
  const pixels = new Uint16Array(rows * columns);
  fill(pixels, raster, { x: -1, y: 0.05, rx: 1.5, ry: 0.85, value: 1400 });
  fill(pixels, raster, { x: -1, y: -0.85, rx: 0.5, ry: 0.9, value: 2300 });
  const cell = Math.max(4, Math.floor(columns / 48));
  const across = Math.ceil(columns / cell) + 2;
  const lattice = Float32Array.from({ length: across * (Math.ceil(rows / cell) + 2) }, () => prng.noise(260));
  for (let row = 0; row < rows; row += 1) {
    const above = Math.floor(row / cell) * across;
    const v = (row % cell) / cell;
    for (let column = 0; column < columns; column += 1) {
      const at = row * columns + column;
      if (pixels[at] === 0) continue;
      const left = above + Math.floor(column / cell);
      const u = (column % cell) / cell;
      const upper = (lattice[left] ?? 0) * (1 - u) + (lattice[left + 1] ?? 0) * u;
      const lower = (lattice[left + across] ?? 0) * (1 - u) + (lattice[left + across + 1] ?? 0) * u;
      pixels[at] = Math.max(1, (pixels[at] ?? 0) + Math.round(upper * (1 - v) + lower * v));
    }
  }
  for (let n = 0; n < 12; n += 1) {
    const dot = 0.002 + prng.below(20) / 10_000;
    fill(pixels, raster, { x: -0.6 + prng.below(100) / 400, y: prng.below(100) / 400, rx: dot, ry: dot, value: 3900 });
  }
  grain(pixels, prng, 18);
  return stored(pixels);
}

/** One frame of an ultrasound loop: a sector with speckle, RGB, 8 bits, colour by pixel. `beat` in [0, 1) is the phase. */
export function drawSector(raster: Raster, beat: number, seed: number): Uint8Array {
  const { rows, columns } = raster;
  const prng = new Prng(seed);
  const pixels = Buffer.alloc(rows * columns * 3);
  const pulse = 0.16 + 0.05 * Math.abs(2 * beat - 1);
  for (let row = 0; row < rows; row += 1) {
    const y = row / rows;
    for (let column = 0; column < columns; column += 1) {
      const x = (column / columns - 0.5) * 1.4;
      const noise = prng.next();
      const depth = x * x + y * y;
      if (Math.abs(x) > y * 0.75 || depth > 0.96) continue;
      const chamber = (x * x) / (pulse * pulse) + (y - 0.55) ** 2 / 0.04 < 1;
      const level = chamber ? noise & 15 : 30 + ((noise & 127) * (noise >>> 25)) / 150;
      const flow = chamber && (noise >>> 8) % 3 === 0 && Math.abs(x) < pulse / 2;
      const at = (row * columns + column) * 3;
      pixels[at] = flow && beat < 0.5 ? 210 : level;
      pixels[at + 1] = level;
      pixels[at + 2] = flow && beat >= 0.5 ? 210 : level;
    }
  }
  return pixels;
}
