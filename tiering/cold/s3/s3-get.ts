// GET of one object, whole or a range. Checks that the answer is the one to the question, and after a
// cut connection asks for the rest only.
import type { IncomingMessage } from 'node:http';
import { addAbortSignal, type Readable } from 'node:stream';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey } from '../../core/ids.js';
import { releaseBuffer } from '../../core/release.js';
import { type ByteRange, ownBuffer } from '../checks.js';
import { OBJECT_BYTES_MAX } from '../limits.js';
import type { S3Connection } from './s3-connection.js';

/** What has arrived so far, kept from one attempt to the next. */
interface Arrival {
  bytes: Uint8Array | undefined;
  filled: number;
  etag: string | undefined;
}

/** The object, or exactly `range` of it. CORRUPT for an answer of another length or place than was asked for. */
export async function getObject(
  connection: S3Connection,
  key: ObjectKey,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const arrival: Arrival = { bytes: undefined, filled: 0, etag: undefined };
  const bytes = range === undefined ? {} : { bytes: range.end - range.start };
  return connection.run(`get ${key}`, { signal, ...bytes }, async (call) => {
    const rest = restOf(range, arrival);
    const asked = rest === undefined ? undefined : `bytes=${rest.start}-${rest.end - 1}`;
    const body = await call.gets.get(connection.keyOf(key), asked, call.signal);
    const { etag } = body.headers;
    try {
      if (arrival.filled > 0 && etag !== arrival.etag) {
        // Another object took the name in between: nothing of the first may be joined to it.
        arrival.filled = 0;
        arrival.bytes = undefined;
        throw Object.assign(new Error('the object changed while it was read'), { code: 'ECONNRESET' });
      }
      arrival.etag = etag;
      const length = checkAnswer(body, rest, key);
      arrival.bytes ??= ownBuffer(length);
      await collect(body, arrival, arrival.bytes, call.signal, key);
      return arrival.bytes;
    } finally {
      // A no-op after a body that was read to its end: the socket goes back to the agent.
      body.destroy();
    }
  });
}

/** The range still to be asked for: all of what was asked at first, or what a cut connection left open. */
function restOf(range: ByteRange | undefined, { bytes, filled }: Arrival): ByteRange | undefined {
  if (bytes === undefined || filled === 0) return range;
  const start = range?.start ?? 0;
  return { start: start + filled, end: start + bytes.byteLength };
}

/** The number of bytes that will come, once the answer's headers are found to be those of this request. */
function checkAnswer({ headers, statusCode }: IncomingMessage, range: ByteRange | undefined, key: ObjectKey): number {
  const length = /^\d{1,15}$/.test(headers['content-length'] ?? '') ? Number(headers['content-length']) : undefined;
  if (length === undefined || !Number.isSafeInteger(length) || length < 0 || length > OBJECT_BYTES_MAX) {
    throw new ArchiveError('CORRUPT', `get ${key}: the answer states no length, or one beyond any object (${length})`);
  }
  if (range === undefined) return length;
  const wanted = `[${range.start}, ${range.end})`;
  if (statusCode !== 206) {
    throw new ArchiveError('CORRUPT', `get ${key}: ${statusCode} instead of 206 for the range ${wanted}`);
  }
  const stated = /^bytes (\d+)-(\d+)\/(?:\d+|\*)$/.exec(headers['content-range'] ?? '');
  if (
    Number(stated?.[1]) !== range.start ||
    Number(stated?.[2]) !== range.end - 1 ||
    length !== range.end - range.start
  ) {
    throw new ArchiveError(
      'CORRUPT',
      `get ${key}: asked for ${wanted}, answered ${headers['content-range'] ?? 'no Content-Range'} with ${length} bytes`,
    );
  }
  return length;
}

/** Fills the bytes of the arrival from the body; an error leaves in `filled` how far it came. */
function collect(
  body: Readable,
  arrival: Arrival,
  target: Uint8Array,
  signal: AbortSignal,
  key: ObjectKey,
): Promise<void> {
  addAbortSignal(signal, body);
  return new Promise((resolve, reject) => {
    body.on('data', (piece: Uint8Array) => {
      if (arrival.filled + piece.byteLength > target.byteLength) {
        body.destroy(new ArchiveError('CORRUPT', `get ${key}: more bytes came than the answer had stated`));
        return;
      }
      target.set(piece, arrival.filled);
      arrival.filled += piece.byteLength;
      // Not now: the parser that this piece came from is still in the middle of it.
      queueMicrotask(() => releaseBuffer(piece));
    });
    body.on('error', reject);
    body.on('end', () => {
      if (arrival.filled === target.byteLength) resolve();
      else reject(new ArchiveError('CORRUPT', `get ${key}: ${arrival.filled} of ${target.byteLength} bytes came`));
    });
    // Also after neither: a body that was destroyed from elsewhere.
    body.on('close', () => reject(Object.assign(new Error('the body was cut off'), { code: 'ECONNRESET' })));
  });
}
