// The text of metadata as it passes: parts of the index joined into one array, the root of BulkDataURIs replaced, objects told apart. No part
// is held inflated but one.
import { Readable } from 'node:stream';
import { createGunzip, gunzipSync } from 'node:zlib';
import type { MetadataPart } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { MOUNT } from '../router.js';

/** Up to here a part is inflated at once: a stream costs more than the work itself. */
const INLINE_GZIP_BYTES_MAX = 32 * 1024;
const INLINE_TEXT_BYTES_MAX = 1024 * 1024;

async function* inflate(gzip: Uint8Array): AsyncGenerator<Buffer, void, void> {
  if (gzip.length <= INLINE_GZIP_BYTES_MAX) {
    try {
      yield gunzipSync(gzip, { maxOutputLength: INLINE_TEXT_BYTES_MAX });
      return;
    } catch (error) {
      // Text that repeats itself inflates beyond the bound: it is streamed like a long one.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') {
        throw new ArchiveError('CORRUPT', 'stored metadata cannot be inflated', { cause: error });
      }
    }
  }
  const stream = Readable.from([gzip]).pipe(createGunzip({ chunkSize: 64 * 1024 }));
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw new ArchiveError('CORRUPT', 'stored metadata cannot be inflated', { cause: error });
  }
}

/** The text of a part: all of it, or the picks joined by commas. Picks are in reading order, not in order of place. */
async function* partText(part: MetadataPart): AsyncGenerator<Buffer, void, void> {
  if (part.picks === null) {
    yield* inflate(part.gzip);
    return;
  }
  const ascending = part.picks.every((pick, at) => at === 0 || pick.start >= (part.picks?.[at - 1]?.end ?? 0));
  if (!ascending) {
    const whole: Buffer[] = [];
    for await (const chunk of inflate(part.gzip)) whole.push(chunk);
    const text = Buffer.concat(whole);
    for (const [at, pick] of part.picks.entries()) {
      if (at > 0) yield COMMA;
      yield text.subarray(pick.start, pick.end);
    }
    return;
  }
  let offset = 0;
  let next = 0;
  for await (const chunk of inflate(part.gzip)) {
    for (
      let pick = part.picks[next];
      pick !== undefined && pick.start < offset + chunk.length;
      pick = part.picks[next]
    ) {
      if (pick.start >= offset && next > 0) yield COMMA;
      yield chunk.subarray(Math.max(0, pick.start - offset), Math.min(chunk.length, pick.end - offset));
      if (pick.end > offset + chunk.length) break;
      next++;
    }
    offset += chunk.length;
  }
  if (next < part.picks.length) throw new ArchiveError('CORRUPT', 'stored metadata is shorter than its table says');
}

const COMMA = Buffer.from(',');
const OPEN = Buffer.from('[');
const CLOSE = Buffer.from(']');

/** One JSON array. NOT_FOUND when there is nothing in it. */
export async function* arrayText(parts: AsyncIterable<MetadataPart>): AsyncGenerator<Buffer, void, void> {
  let first = true;
  for await (const part of parts) {
    if (part.picks?.length === 0) continue;
    yield first ? OPEN : COMMA;
    first = false;
    yield* partText(part);
  }
  // NOT_FOUND here and not an empty array: what was live a moment ago has been deleted.
  if (first) throw new ArchiveError('NOT_FOUND', 'it was deleted meanwhile');
  yield CLOSE;
}

/**
 * Replaces the root of stored BulkDataURIs. The key with its quotes cannot occur inside a JSON string, where quotes are
 * escaped, so this needs no parsing; a tail that may be the beginning of one is kept for the next chunk.
 */
export async function* rewriteBulkRoot(
  chunks: AsyncIterable<Buffer>,
  root: string,
): AsyncGenerator<Buffer, void, void> {
  const needle = Buffer.from(`"BulkDataURI":"${MOUNT}/`);
  const replacement = Buffer.from(`"BulkDataURI":"${root}/`);
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const text = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let at = 0;
    for (let found = text.indexOf(needle); found >= 0; found = text.indexOf(needle, at)) {
      yield text.subarray(at, found);
      yield replacement;
      at = found + needle.length;
    }
    const keep = Math.min(needle.length - 1, text.length - at);
    yield text.subarray(at, text.length - keep);
    held = text.subarray(text.length - keep);
  }
  yield held;
}

/** Larger chunks for the socket: rewriting and picking make many small ones. */
export async function* gathered(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    length += chunk.length;
    if (length < 64 * 1024) continue;
    yield held.length === 1 ? chunk : Buffer.concat(held);
    held = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(held);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** As JSON_BYTES_MAX of dicom/limits.ts bounds what is made at ingest. */
const OBJECT_BYTES_MAX = 128 * 1024 * 1024;

/** The objects of a JSON array one by one, each as its own text. LIMIT for one that is too long. */
export async function* objectsOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string, void, void> {
  let held: Buffer[] = [];
  let length = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk[at];
      if (inString) {
        if (escaped) escaped = false;
        else if (code === BACKSLASH) escaped = true;
        else if (code === QUOTE) inString = false;
      } else if (code === QUOTE) inString = true;
      else if (code === OPEN_BRACE) {
        if (depth === 0) from = at;
        depth++;
      } else if (code === CLOSE_BRACE) {
        depth--;
        if (depth > 0) continue;
        held.push(chunk.subarray(from, at + 1));
        yield Buffer.concat(held).toString('utf8');
        held = [];
        length = 0;
      }
    }
    if (depth === 0) continue;
    length += chunk.length - from;
    if (length > OBJECT_BYTES_MAX) throw new ArchiveError('LIMIT', 'the metadata of an instance is too long');
    held.push(chunk.subarray(from));
  }
}
