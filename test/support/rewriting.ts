// Runs rewriteInstance over bytes in memory, in pieces of a chosen size, and gathers what comes out.
import { inflateRawSync } from 'node:zlib';
import { describePixels } from '../../dicom/codecs/describe.js';
import type { Frame } from '../../dicom/codecs/frame.js';
import { transcode } from '../../dicom/codecs/transcode.js';
import type { DicomJson } from '../../dicom/json/json-object.js';
import { alignBits, frameRanges } from '../../dicom/layout.js';
import { type InstanceSource, rewriteInstance } from '../../dicom/rewrite/rewrite-instance.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';

export interface Rewriting {
  readonly target?: string;
  readonly frame?: (n: number) => Promise<Frame>;
  /** The longest piece that the source gives. */
  readonly pieceBytes?: number;
  /** Told of every range that is read. */
  readonly onRead?: (start: number, end: number) => void;
}

export function sourceOf(bytes: Uint8Array, pieceBytes = 1000, onRead?: Rewriting['onRead']): InstanceSource {
  return {
    length: bytes.length,
    async *read(start, end) {
      onRead?.(start, end);
      // Copies: who changes a piece in place shows.
      for (let at = start; at < end; at += pieceBytes) yield bytes.slice(at, Math.min(end, at + pieceBytes));
    },
  };
}

const noFrame = (): Promise<Frame> => Promise.reject(new Error('a frame was asked for'));

/** The pieces of `bytes`, a file that the parser takes, in `target` (default: Explicit VR Little Endian). */
export function rewriting(bytes: Uint8Array, options: Rewriting = {}): AsyncIterable<Uint8Array> {
  const parsed = parseInstance(bytes);
  return rewriteInstance({
    source: sourceOf(bytes, options.pieceBytes, options.onRead),
    layout: parsed.layout,
    sopClass: parsed.sopClassUid,
    sop: parsed.sopUid,
    stored: parsed.transferSyntaxUid,
    target: options.target ?? '1.2.840.10008.1.2.1',
    frame: options.frame ?? noFrame,
  });
}

export async function rewritten(bytes: Uint8Array, options: Rewriting = {}): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of rewriting(bytes, options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Frame `n` (from 1) of a file, as it is stored. */
export function storedFrameOf(bytes: Buffer, n: number): Frame {
  const { layout, json, transferSyntaxUid } = parseInstance(bytes);
  const source = layout.deflated ? inflateRawSync(bytes.subarray(144 + bytes.readUInt32LE(140))) : bytes;
  const { ranges, bitOffset, bits } = frameRanges(layout, n);
  const whole = Buffer.concat(ranges.map(({ start, end }) => source.subarray(start, end)));
  const pixels = describePixels(JSON.parse(json) as DicomJson);
  return { syntax: transferSyntaxUid, pixels, bytes: bits === null ? whole : alignBits(whole, bitOffset, bits) };
}

/** Gives the frames of a file in `target` by the codecs. */
export function byCodecs(bytes: Buffer, target: string): (n: number) => Promise<Frame> {
  return async (n) => transcode(storedFrameOf(bytes, n), target);
}
