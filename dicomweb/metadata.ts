// WADO-RS metadata (PS3.18 10.4.1.1.2) of a study, series or instance: one JSON array, joined from the parts that the
// index keeps compressed. No pixel object is ever opened, and no part is held inflated but one.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip, createGzip, gunzipSync } from 'node:zlib';
import type { MetadataPart, Scope } from '../tiering/archive/archive.js';
import { ArchiveError } from '../tiering/core/errors.js';
import type { Exchange } from './exchange.js';
import { negotiateJson } from './qido.js';
import { MOUNT } from './router.js';
import { sendEmpty, sendStream } from './send.js';
import { noneMatchNames } from './single-part.js';

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

async function* arrayText(parts: AsyncIterable<MetadataPart>): AsyncGenerator<Buffer, void, void> {
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

/** Changes exactly when an instance comes or goes; packing and tiering leave it alone. */
async function entityTag(exchange: Exchange, scope: Scope, root: string): Promise<string> {
  const hash = createHash('sha256').update(root);
  let count = 0;
  const { study, series, sop } = scope;
  if (series !== undefined && sop !== undefined) {
    hash.update(`${(await exchange.services.archive.instance({ study, series, sop })).seq}`);
    count = 1;
  } else {
    for await (const record of exchange.services.archive.instances(scope)) {
      exchange.signal.throwIfAborted();
      hash.update(`${record.seq},`);
      count++;
    }
  }
  if (count === 0)
    throw new ArchiveError('NOT_FOUND', `this archive has no such ${series === undefined ? 'study' : 'series'}`);
  return `W/"${hash.digest('base64url').slice(0, 32)}"`;
}

/** Larger chunks for the socket: rewriting and picking make many small ones. */
async function* gathered(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
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

/** GET of metadata. 404 when nothing is live, 304 by entity tag, gzip when accepted. */
export async function retrieveMetadata(exchange: Exchange, scope: Scope): Promise<void> {
  const type = negotiateJson(exchange.accept);
  const root = exchange.linkRoot;
  const etag = await entityTag(exchange, scope, root);
  const asked = exchange.req.headers;
  const headers = { 'Content-Type': type, ETag: etag, Vary: 'Accept-Encoding' };
  if (noneMatchNames(asked['if-none-match'], etag)) {
    sendEmpty(exchange, 304, headers);
    return;
  }
  if (exchange.isHead) {
    sendEmpty(exchange, 200, headers);
    return;
  }
  const plain = arrayText(exchange.services.archive.metadata(scope));
  const text = gathered(root === MOUNT ? plain : rewriteBulkRoot(plain, root));
  if (!/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(String(asked['accept-encoding'] ?? ''))) {
    await sendStream(exchange, 200, headers, text);
    return;
  }
  const gzip = createGzip({ level: 1, chunkSize: 64 * 1024 });
  const source = Readable.from(text, { objectMode: false });
  source.on('error', (error) => gzip.destroy(error));
  exchange.signal.addEventListener('abort', () => source.destroy(), { once: true });
  await sendStream(exchange, 200, { ...headers, 'Content-Encoding': 'gzip' }, source.pipe(gzip));
}
