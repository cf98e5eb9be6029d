// An answer's body as a list of segments: bytes at hand, or bytes that an archive read will bring. Lengths of what is stored are known
// before anything is read, so that Content-Length and ranges are arithmetic; what is made while it is sent has none.
import { alignBits } from '../../dicom/layout.js';
import type { ImageArchive, InstanceRecord } from '../../tiering/archive/archive.js';
import { invariant } from '../../tiering/core/errors.js';

/** `open` yields exactly the bytes `[start, end)` of it, in pieces. */
export interface LazySegment {
  readonly length: number;
  open(start: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Bytes that are made as they are sent: nobody knows their number before. */
export interface MadeSegment {
  readonly length: null;
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export type SizedSegment = Uint8Array | LazySegment;
export type Segment = SizedSegment | MadeSegment;

/** The pieces of a segment that is not at hand, all of it. */
export function openSegment(segment: LazySegment | MadeSegment, signal: AbortSignal): AsyncIterable<Uint8Array> {
  return segment.length === null ? segment.open(signal) : segment.open(0, segment.length, signal);
}

/** The bytes `[start, end)` of a stored instance. */
export function instanceSegment(
  archive: ImageArchive,
  record: InstanceRecord,
  start: number,
  end: number,
): LazySegment {
  return {
    length: end - start,
    open: (from, to, signal) => archive.read(record, { start: start + from, end: start + to }, signal),
  };
}

export function totalLength(segments: readonly SizedSegment[]): number {
  let sum = 0;
  for (const segment of segments) sum += segment.length;
  return sum;
}

/** The same where some may have no length; then the whole has none. */
export function lengthIfKnown(segments: readonly Segment[]): number | null {
  let sum = 0;
  for (const segment of segments) {
    if (segment.length === null) return null;
    sum += segment.length;
  }
  return sum;
}

/** The segments that make up the bytes `[start, end)` of the whole. */
export function sliceSegments(segments: readonly SizedSegment[], start: number, end: number): readonly SizedSegment[] {
  invariant(start >= 0 && start <= end, 'a slice of segments is not a range');
  const sliced: SizedSegment[] = [];
  let at = 0;
  for (const segment of segments) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, segment.length);
    at += segment.length;
    if (from >= to) continue;
    if (from === 0 && to === segment.length) sliced.push(segment);
    else if (segment instanceof Uint8Array) sliced.push(segment.subarray(from, to));
    else {
      sliced.push({ length: to - from, open: (a, b, signal) => segment.open(from + a, from + b, signal) });
    }
  }
  return sliced;
}

/**
 * A frame of `bits` bits that begins `bitOffset` bits (0 to 7) into the first byte of `source`, moved to bit 0; bits of the
 * last byte past it are zero. Works piece by piece: a frame is never held whole.
 */
export function alignedSegment(source: LazySegment, bitOffset: number, bits: number): LazySegment {
  const length = Math.ceil(bits / 8);
  const lastBits = bits - (length - 1) * 8;
  async function* open(start: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let out = start;
    let held: Uint8Array = new Uint8Array(0);
    const align = (block: Uint8Array, count: number): Uint8Array => {
      out += count;
      return alignBits(block, bitOffset, out === length ? (count - 1) * 8 + lastBits : count * 8);
    };
    for await (const piece of source.open(start, Math.min(end + 1, source.length), signal)) {
      const block = held.length === 0 ? piece : Buffer.concat([held, piece]);
      // The last byte waits: the bits of its frame byte may go on in the next one.
      const count = Math.min(block.length - 1, end - out);
      if (count > 0) yield align(block.subarray(0, count + 1), count).subarray(0, count);
      held = block.subarray(count);
    }
    if (out < end) yield align(held, 1).subarray(0, 1);
  }
  return { length, open };
}
