// Byte ranges inside of one instance as its layout names them: frames and bulk values. Hides that those of a deflated data
// set are only reached by inflating it.

import { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { ByteWindow } from '../dicom/byte-window.js';
import type { InstanceLayout } from '../dicom/instance.js';
import { decodeLayout } from '../dicom/layout.js';
import { FILE_META_BYTES_MAX } from '../dicom/limits.js';
import { readFileMeta } from '../dicom/part10.js';
import type { ImageArchive, InstanceRecord, Scope } from '../tiering/archive/archive.js';
import { ArchiveError } from '../tiering/core/errors.js';
import type { Exchange } from './exchange.js';
import { instanceSegment, type LazySegment } from './segments.js';

export interface OpenInstance {
  readonly record: InstanceRecord;
  readonly layout: InstanceLayout;
}

// A viewer asks for the frames of one instance one by one; decoding a table of thousands each time would cost more than
// the frame. Keyed by seq too, which no two arrivals share.
const LAYOUT_TEXT_MAX = 16 * 1024 * 1024;
const layouts = new LRUCache<string, InstanceLayout>({ max: 1000, maxSize: LAYOUT_TEXT_MAX });

function layoutOf(record: InstanceRecord & { readonly layout: string }): InstanceLayout {
  // Different archives (in tests) may give equal seqs: the content is the key.
  const key = `${record.sha256}/${record.sop}/${record.seq}`;
  const known = layouts.get(key);
  if (known !== undefined) return known;
  const layout = decodeLayout(record.layout);
  layouts.set(key, layout, { size: record.layout.length + 1 });
  return layout;
}

/** The instance of the path with its layout. NOT_FOUND when there is none. */
export function openInstance(exchange: Exchange): Promise<OpenInstance> {
  return openScope(exchange.services.archive, instanceScope(exchange));
}

/** Any instance with its layout. NOT_FOUND when it is not live. */
export async function openScope(archive: ImageArchive, { study, series, sop }: Required<Scope>): Promise<OpenInstance> {
  const record = await archive.instance({ study, series, sop });
  return { record, layout: layoutOf(record) };
}

function instanceScope(exchange: Exchange): Required<Scope> {
  const { study, series, sop } = exchange.target.scope ?? {};
  if (study === undefined || series === undefined || sop === undefined) {
    throw new ArchiveError('INTERNAL', 'a route of an instance matched without its UIDs');
  }
  return { study, series, sop };
}

/** The segment of `[start, end)` in the offsets of the layout. */
export function partSegment(archive: ImageArchive, instance: OpenInstance, start: number, end: number): LazySegment {
  if (!instance.layout.deflated) return instanceSegment(archive, instance.record, start, end);
  return {
    length: end - start,
    open: (from, to, signal) => inflatedRange(archive, instance.record, start + from, start + to, signal),
  };
}

/** Where the data set begins: behind the file meta information. */
async function dataSetStart(archive: ImageArchive, record: InstanceRecord, signal: AbortSignal): Promise<number> {
  const pieces: Uint8Array[] = [];
  const end = Math.min(record.end - record.start, FILE_META_BYTES_MAX);
  for await (const piece of archive.read(record, { start: 0, end }, signal)) pieces.push(piece);
  return readFileMeta(new ByteWindow(Buffer.concat(pieces))).end;
}

async function* inflatedRange(
  archive: ImageArchive,
  record: InstanceRecord,
  start: number,
  end: number,
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
