// GET of one object, whole or a range. Checks that the answer is the one to the question, and after a
// cut connection asks for the rest only.
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey } from '../../core/ids.js';
import { type ByteRange, ownBuffer } from '../checks.js';
import { OBJECT_BYTES_MAX } from '../limits.js';
import type { GetAnswer } from './get-sockets.js';
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
    const answer = await call.gets.get(connection.keyOf(key), asked, call.signal);
    const { etag } = answer.headers;
    let target: Uint8Array;
    try {
      if (arrival.filled > 0 && etag !== arrival.etag) {
        // Another object took the name in between: nothing of the first may be joined to it.
        arrival.filled = 0;
        arrival.bytes = undefined;
        throw Object.assign(new Error('the object changed while it was read'), { code: 'ECONNRESET' });
      }
      arrival.etag = etag;
      const length = checkAnswer(answer, rest, key);
      arrival.bytes ??= ownBuffer(length);
      target = arrival.bytes.subarray(arrival.filled);
    } catch (error) {
      answer.discard();
      throw error;
    }
    // An error leaves in `filled` how far it came.
    await answer.readInto(target, (count) => {
      arrival.filled += count;
    });
    return arrival.bytes;
  });
}

/** The range still to be asked for: all of what was asked at first, or what a cut connection left open. */
function restOf(range: ByteRange | undefined, { bytes, filled }: Arrival): ByteRange | undefined {
  if (bytes === undefined || filled === 0) return range;
  const start = range?.start ?? 0;
  return { start: start + filled, end: start + bytes.byteLength };
}

/** The number of bytes that will come, once the answer's headers are found to be those of this request. */
function checkAnswer({ headers, status, length }: GetAnswer, range: ByteRange | undefined, key: ObjectKey): number {
  if (length === null || length > OBJECT_BYTES_MAX) {
    throw new ArchiveError('CORRUPT', `get ${key}: the answer states no length, or one beyond any object (${length})`);
  }
  if (range === undefined) return length;
  const wanted = `[${range.start}, ${range.end})`;
  if (status !== 206) {
    throw new ArchiveError('CORRUPT', `get ${key}: ${status} instead of 206 for the range ${wanted}`);
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
