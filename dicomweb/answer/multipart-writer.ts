// Multipart/related answers (RFC 2387) as segments. The boundary is random and long, so that it never occurs in the
// data: viewers search the bytes for it. `Content-Type` comes first in each part and in that exact case.
import type { Random } from '../../tiering/core/clock.js';
import { lengthIfKnown, type Segment } from './segments.js';

export interface OutgoingPart {
  /** Unquoted, with its transfer-syntax parameter: clients take it as it stands. */
  readonly contentType: string;
  readonly location: string;
  readonly content: readonly Segment[];
}

// 24 bytes are 48 characters. Drawn from a pool, since a draw costs a system call.
const BOUNDARY_BYTES = 24;
const pools = new WeakMap<Random, { bytes: Buffer; at: number }>();

export function drawBoundary(random: Random): string {
  let pool = pools.get(random);
  if (pool === undefined || pool.at + BOUNDARY_BYTES > pool.bytes.length) {
    pool = { bytes: Buffer.from(random.bytes(BOUNDARY_BYTES * 64)), at: 0 };
    pools.set(random, pool);
  }
  pool.at += BOUNDARY_BYTES;
  return pool.bytes.toString('hex', pool.at - BOUNDARY_BYTES, pool.at);
}

/** The header of the whole: `type` is the media type of every part. */
export function multipartType(type: string, boundary: string): string {
  return `multipart/related; type="${type}"; boundary=${boundary}`;
}

function partHead(part: OutgoingPart, boundary: string, first: boolean): Buffer {
  const opening = first ? `--${boundary}` : `\r\n--${boundary}`;
  return Buffer.from(
    `${opening}\r\nContent-Type: ${part.contentType}\r\nContent-Location: ${part.location}\r\n\r\n`,
    'latin1',
  );
}

function closing(boundary: string): Buffer {
  return Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1');
}

/** The whole body of a few parts. */
export function multipartSegments(parts: readonly OutgoingPart[], boundary: string): readonly Segment[] {
  const segments: Segment[] = [];
  for (const part of parts) segments.push(partHead(part, boundary, segments.length === 0), ...part.content);
  segments.push(closing(boundary));
  return segments;
}

/** The same for many, made as they are sent. */
export async function* multipartStream(
  parts: Iterable<OutgoingPart> | AsyncIterable<OutgoingPart>,
  boundary: string,
): AsyncGenerator<Segment, void, void> {
  let first = true;
  for await (const part of parts) {
    yield partHead(part, boundary, first);
    yield* part.content;
    first = false;
  }
  yield closing(boundary);
}

/** The length of such a body, from its parts alone; null when that of one is not known. */
export function multipartLength(parts: Iterable<OutgoingPart>, boundary: string): number | null {
  let length = closing(boundary).length;
  let first = true;
  for (const part of parts) {
    const content = lengthIfKnown(part.content);
    if (content === null) return null;
    length += partHead(part, boundary, first).length + content;
    first = false;
  }
  return length;
}
