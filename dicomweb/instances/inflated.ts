// Byte ranges of a deflated data set (1.2.840.10008.1.2.1.99), which are only reached by inflating what is before them. A data set that is
// small enough is kept inflated for a while: its frames are asked for one by one, and each would cost all those before it.
import { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { ByteWindow } from '../../dicom/byte-window.js';
import type { ByteRange } from '../../dicom/instance.js';
import { FILE_META_BYTES_MAX } from '../../dicom/limits.js';
import { readFileMeta } from '../../dicom/scan/part10.js';
import type { ImageArchive, InstanceRecord } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { OpenInstance } from './open-instance.js';

const MiB = 1024 * 1024;
/** Of all that is kept. Larger data sets are inflated for each range; such files are rare, and hardly ever of many frames. */
const KEPT_BYTES_MAX = 64 * MiB;
const PIECE_BYTES = MiB;
/** One reads for all that wait, so that nobody's leaving may end it. */
const READ_MS_MAX = 120_000;

const kept = new LRUCache<string, Uint8Array>({ max: 64, maxSize: KEPT_BYTES_MAX });
const inflating = new Map<string, Promise<Uint8Array>>();

/** Where the last part of it ends that anybody can ask for. */
function usedBytes({ layout }: OpenInstance): number {
  const pixels = layout.pixels?.kind === 'native' ? layout.pixels.end : 0;
  return layout.bulk.reduce((most, { end }) => Math.max(most, end), pixels);
}

/** The bytes `range` of the inflated data set, in pieces of the reader's own. CORRUPT when it does not inflate. */
export async function* inflatedRange(
  archive: ImageArchive,
  instance: OpenInstance,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { record } = instance;
  const size = usedBytes(instance);
  if (size > KEPT_BYTES_MAX / 2 || range.end > size) {
    yield* streamed(archive, record, range, signal);
    return;
  }
  const whole = await inflatedWhole(archive, record, size);
  for (let at = range.start; at < range.end; at += PIECE_BYTES) {
    signal.throwIfAborted();
    yield Uint8Array.from(whole.subarray(at, Math.min(range.end, at + PIECE_BYTES)));
  }
}

async function inflatedWhole(archive: ImageArchive, record: InstanceRecord, size: number): Promise<Uint8Array> {
  const key = `${record.sha256}/${record.sop}/${record.seq}`;
  const known = kept.get(key) ?? inflating.get(key);
  if (known !== undefined) return known;
  const begun = collect(streamed(archive, record, { start: 0, end: size }, AbortSignal.timeout(READ_MS_MAX)), size);
  inflating.set(key, begun);
  try {
    const whole = await begun;
    kept.set(key, whole, { size: whole.length + 1 });
    return whole;
  } finally {
    inflating.delete(key);
  }
}

async function collect(pieces: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const whole = new Uint8Array(size);
  let at = 0;
  for await (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  if (at < size) throw new ArchiveError('CORRUPT', 'a deflated instance is shorter than the index says');
  return whole;
}

/** Where the data set begins: behind the file meta information. */
async function dataSetStart(archive: ImageArchive, record: InstanceRecord, signal: AbortSignal): Promise<number> {
  const pieces: Uint8Array[] = [];
  const end = Math.min(record.end - record.start, FILE_META_BYTES_MAX);
  for await (const piece of archive.read(record, { start: 0, end }, signal)) pieces.push(piece);
  return readFileMeta(new ByteWindow(Buffer.concat(pieces))).end;
}

async function* streamed(
  archive: ImageArchive,
  record: InstanceRecord,
  { start, end }: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const first = await dataSetStart(archive, record, signal);
  const stored = Readable.from(archive.read(record, { start: first, end: record.end - record.start }, signal), {
    objectMode: false,
  });
  const inflate = createInflateRaw({ chunkSize: 64 * 1024 });
  stored.on('error', (error) => inflate.destroy(error));
  let at = 0;
  try {
    for await (const chunk of stored.pipe(inflate) as AsyncIterable<Buffer>) {
      const piece = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
      at += chunk.length;
      if (piece.length > 0) yield piece;
      if (at >= end) return;
    }
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    throw new ArchiveError('CORRUPT', 'a deflated instance cannot be inflated', { cause: error });
  } finally {
    stored.destroy();
    inflate.destroy();
  }
}
