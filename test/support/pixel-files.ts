// Small images, native or in fragments that need no codec, and frames given out one by one: for tests of what is sent of them.
import type { Frame, PixelDescription } from '../../dicom/codecs/frame.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';
import { buildPart10, type Element, nativeImage } from './part10-builder.js';

/** Encapsulated Uncompressed: its frames are native ones, so that no codec is needed to make or read them. */
export const ENCAPSULATED = '1.2.840.10008.1.2.1.98';
export const SCOPE = { study: '1.2.3', series: '1.2.3.1', sop: '1.2.3.1.1' };

export interface Shape {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
}

export function pixelsOf({ rows, columns, bits }: Shape, others: Partial<PixelDescription> = {}): PixelDescription {
  return {
    rows,
    columns,
    samplesPerPixel: 1,
    bitsAllocated: bits,
    bitsStored: bits,
    highBit: bits - 1,
    signed: false,
    planar: false,
    photometric: 'MONOCHROME2',
    numbers: 'integer',
    ...others,
  };
}

export function nativeFile(shape: Shape, frames: number, pixels: Uint8Array, others: readonly Element[] = []): Buffer {
  return buildPart10({ ...SCOPE, elements: [...nativeImage({ ...shape, frames, pixels }), ...others] });
}

export function encapsulatedFile(shape: Shape, frames: readonly Uint8Array[], others: readonly Element[] = []): Buffer {
  const elements = nativeImage({ ...shape, frames: frames.length, pixels: new Uint8Array(0) });
  return buildPart10({
    ...SCOPE,
    transferSyntax: ENCAPSULATED,
    elements: [...elements, ['7FE00010', 'OB', frames], ...others],
  });
}

/** Frames given out by number, with what was asked. */
export function giving(frames: readonly Uint8Array[], syntax: string, pixels: PixelDescription) {
  const asked: number[] = [];
  const frame = (n: number): Promise<Frame> => {
    asked.push(n);
    const bytes = frames[n - 1];
    return bytes === undefined ? Promise.reject(new Error(`frame ${n}`)) : Promise.resolve({ syntax, pixels, bytes });
  };
  return { asked, frame };
}

export function jsonOf(file: Buffer): Record<string, { vr: string; Value?: unknown[] } | undefined> {
  return JSON.parse(parseInstance(file).json) as Record<string, { vr: string }>;
}
