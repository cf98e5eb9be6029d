// Byte ranges inside of one instance as its layout names them: frames and bulk values. Hides that those of a deflated data
// set are only reached by inflating it.
import { LRUCache } from 'lru-cache';
import type { InstanceLayout } from '../../dicom/instance.js';
import { decodeLayout } from '../../dicom/layout.js';
import type { ImageArchive, InstanceRecord, Scope } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { instanceSegment, type LazySegment } from '../answer/segments.js';
import type { Exchange } from '../exchange.js';
import { inflatedRange } from './inflated.js';
import type { OpenInstance } from './open-instance.js';

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
  const { record, layout } = instance;
  if (!layout.deflated) return instanceSegment(archive, record, start, end);
  return {
    length: end - start,
    open: (from, to, signal) => inflatedRange(archive, instance, { start: start + from, end: start + to }, signal),
  };
}
