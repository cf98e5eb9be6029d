// Series metadata bundles: the DICOM JSON objects of one series in one pack, joined with commas and
// compressed once, ready to be sent. Made whenever a pack is made, from what the index or a tray holds.
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { ArchiveError } from '../../core/errors.js';
import type { SeriesUid } from '../../core/ids.js';
import type { SeriesBundle } from '../../format/types.js';

const inflate = promisify(gunzip);
const deflate = promisify<Uint8Array, { level: number }, Buffer>(gzip);

/** One data set's JSON is bounded by the limits of dicom/; this bounds what a damaged row could inflate to. */
const JSON_BYTES_MAX = 256 * 1024 * 1024;
const COMMA = Buffer.from(',');

export interface BundleItem {
  readonly series: SeriesUid;
  /** gzip of one DICOM JSON object. */
  readonly metadata: Uint8Array;
}

export interface BundleRange {
  readonly metaStart: number;
  readonly metaEnd: number;
}

/**
 * One bundle per series, in order of first appearance, and for each item its range in its bundle's inflated text.
 * Level 1: 2.7 KB instead of 11.6 KB for a CT, at a third of the cost of the default level.
 */
export async function buildBundles(
  items: readonly BundleItem[],
): Promise<{ bundles: SeriesBundle[]; ranges: BundleRange[] }> {
  const series = new Map<SeriesUid, { pieces: Buffer[]; bytes: number }>();
  const ranges: BundleRange[] = [];
  for (const item of items) {
    const json = await inflateJson(item.metadata);
    const bundle = series.get(item.series) ?? { pieces: [], bytes: 0 };
    series.set(item.series, bundle);
    if (bundle.pieces.length > 0) {
      bundle.pieces.push(COMMA);
      bundle.bytes += COMMA.length;
    }
    ranges.push({ metaStart: bundle.bytes, metaEnd: bundle.bytes + json.length });
    bundle.pieces.push(json);
    bundle.bytes += json.length;
  }
  const bundles: SeriesBundle[] = [];
  for (const [uid, bundle] of series) {
    bundles.push({ series: uid, gzip: await deflate(Buffer.concat(bundle.pieces), { level: 1 }) });
  }
  return { bundles, ranges };
}

/** The inflated text of a bundle or of one instance's metadata. CORRUPT when it is not gzip or is too long. */
export async function inflateJson(bytes: Uint8Array): Promise<Buffer> {
  try {
    return await (inflate as (b: Uint8Array, o: { maxOutputLength: number }) => Promise<Buffer>)(bytes, {
      maxOutputLength: JSON_BYTES_MAX,
    });
  } catch (error) {
    throw new ArchiveError('CORRUPT', 'stored metadata does not inflate', { cause: error });
  }
}
