// What stands for an instance that has no picture: a drawn sheet, film strip or trace, as a frame that goes the way of every other.
import type { Frame } from '../codecs/frame.js';
import { EXPLICIT_LITTLE } from '../transfer-syntax.js';

const SIZE = 128;
const GROUND = 28;
const SHEET = 150;
const INK = 60;

export type PlaceholderKind = 'document' | 'video' | 'waveform' | 'other';

type Fill = (x: number, y: number, width: number, height: number, shade: number) => void;

function drawDocument(fill: Fill): void {
  fill(36, 36, 56, 76, SHEET);
  for (let line = 0; line < 6; line++) fill(44, 48 + line * 10, line === 5 ? 24 : 40, 3, INK);
}

function drawVideo(fill: Fill): void {
  fill(20, 44, 88, 60, SHEET);
  for (let hole = 0; hole < 8; hole++) {
    fill(24 + hole * 11, 47, 5, 5, GROUND);
    fill(24 + hole * 11, 96, 5, 5, GROUND);
  }
  for (let column = 0; column < 26; column++) fill(54 + column, 59 + column / 2, 1, 30 - column, INK);
}

function drawWaveform(fill: Fill): void {
  const heights = [0, 0, 0, 2, 5, 2, 0, -3, 34, -12, 0, 0, 1, 4, 7, 4, 1, 0, 0, 0];
  for (const [at, height] of heights.entries()) {
    fill(14 + at * 5, height >= 0 ? 78 - height : 78, 4, Math.abs(height) + 3, SHEET);
  }
}

function drawOther(fill: Fill): void {
  fill(36, 44, 56, 56, SHEET);
  fill(40, 48, 48, 48, GROUND);
}

const DRAW: Readonly<Record<PlaceholderKind, (fill: Fill) => void>> = {
  document: drawDocument,
  video: drawVideo,
  waveform: drawWaveform,
  other: drawOther,
};

/** A grey frame of 128 by 128 whose upper quarter is left free for a label. */
export function placeholderFrame(kind: PlaceholderKind): Frame {
  const bytes = new Uint8Array(SIZE * SIZE).fill(GROUND);
  DRAW[kind]((x, y, width, height, shade) => {
    const top = Math.round(y);
    for (let row = top; row < Math.min(SIZE, top + Math.round(height)); row++) {
      bytes.fill(shade, row * SIZE + x, row * SIZE + x + width);
    }
  });
  return {
    syntax: EXPLICIT_LITTLE,
    bytes,
    pixels: {
      rows: SIZE,
      columns: SIZE,
      samplesPerPixel: 1,
      bitsAllocated: 8,
      bitsStored: 8,
      highBit: 7,
      signed: false,
      planar: false,
      photometric: 'MONOCHROME2',
      numbers: 'integer',
      words: false,
    },
  };
}
