// The deflated transfer syntaxes (PS3.5 A.5): the data set after the file meta information is one raw deflate
// stream. Inflated whole, under zlib's own bound, so that a small file cannot ask for more memory than that; or piece by piece.
import { pipeline, Readable } from 'node:stream';
import { createInflateRaw, inflateRawSync, type ZlibOptions } from 'node:zlib';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { ByteWindow } from '../byte-window.js';
import { DicomError } from '../dicom-error.js';
import { INFLATED_BYTES_MAX, INFLATED_FREELY_BYTES_MAX, INFLATED_GROWTH_MAX } from '../limits.js';

export interface Inflated {
  readonly bytes: Uint8Array;
  /** Bytes after the end of the stream: one pad byte makes the length even; any more are the caller's to judge. */
  readonly trailing: number;
}

/** With `info`, zlib also says how much of its input it took. */
interface InflateInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** How much a deflate stream of `length` bytes may become. */
function inflatedMax(length: number): number {
  return Math.min(INFLATED_BYTES_MAX, Math.max(INFLATED_FREELY_BYTES_MAX, length * INFLATED_GROWTH_MAX));
}

/** Inflates from `start` to the end. Throws LIMIT when the result would be too long for its input, MALFORMED when it is no deflate stream. */
export function inflateDataset(window: ByteWindow, start: number): Inflated {
  const length = window.size - start;
  const bytesMax = inflatedMax(length);
  if (length > bytesMax) throw tooLong(start, bytesMax);
  const index = window.at(start, length);
  const input = window.bytes.subarray(index, index + length);
  const options: ZlibOptions = { maxOutputLength: bytesMax, info: true };
  try {
    const { buffer, engine } = inflateRawSync(input, options) as unknown as InflateInfo;
    return { bytes: buffer, trailing: length - engine.bytesWritten };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLong(start, bytesMax);
    const cut = (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
    throw new DicomError(
      cut ? 'TRUNCATED' : 'MALFORMED',
      cut ? 'the deflate stream is cut off' : 'the data set is not a deflate stream',
      { offset: start },
      error,
    );
  }
}

function tooLong(start: number, bytesMax: number): DicomError {
  return new DicomError('LIMIT', `the data set inflates to more than the ${bytesMax} bytes it may`, { offset: start });
}

const INFLATED_PIECE_BYTES = 64 * 1024;

/**
 * Inflates a stored deflate stream piece by piece, in zlib's own threads; what follows its end is left out. Throws CORRUPT for what is no
 * whole deflate stream, since it was one when it was stored; what `pieces` throws is passed on.
 */
export async function* inflatePieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const inflate = createInflateRaw({ chunkSize: INFLATED_PIECE_BYTES });
  // The reader below is told of every error itself.
  pipeline(Readable.from(pieces, { objectMode: false }), inflate, () => undefined);
  try {
    yield* inflate as AsyncIterable<Buffer>;
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) {
      throw new ArchiveError('CORRUPT', 'a deflated instance cannot be inflated', { cause: error });
    }
    throw error;
  } finally {
    inflate.destroy();
  }
}
