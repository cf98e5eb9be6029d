// Series metadata bundles: the DICOM JSON objects of one series in one pack, joined with commas and
// compressed once, ready to be sent. Made whenever a pack is made, from what the index or a tray holds.
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { LevelAttributes } from '../../../dicom/instance.js';
import { ArchiveError } from '../../core/errors.js';
import type { SeriesUid } from '../../core/ids.js';
import type { PackMember, SeriesBundle } from '../../format/types.js';
import type { ArrivedInstance } from '../../index/index.js';

const inflate = promisify(gunzip);
const deflate = promisify<Uint8Array, { level: number }, Buffer>(gzip);

/** One data set's JSON is bounded by the limits of dicom/; this bounds what a damaged row could inflate to. */
const JSON_BYTES_MAX = 256 * 1024 * 1024;
/** 2.7 KB instead of 11.6 KB for a CT, at a third of the cost of the default level. */
const GZIP_LEVEL = 1;
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
    bundles.push({ series: uid, gzip: await deflateJson(Buffer.concat(bundle.pieces)) });
  }
  return { bundles, ranges };
}

/** What a new pack's arrivals become in its manifest and index rows: members with their place in the bundles, in the same order. */
export async function bundleArrivals(
  arrivals: readonly ArrivedInstance[],
): Promise<{ members: PackMember[]; bundles: SeriesBundle[]; attributes: LevelAttributes[] }> {
  const { bundles, ranges } = await buildBundles(arrivals);
  const members = arrivals.map(({ attributes: _a, metadata: _m, pack: _p, ...member }, n) => {
    const range = ranges[n];
    if (range === undefined) throw new ArchiveError('INTERNAL', 'an arrival has no place in its bundle');
    return { ...member, ...range };
  });
  return { members, bundles, attributes: arrivals.map((one) => one.attributes) };
}

/** gzip as bundles and metadata have it. */
export function deflateJson(json: Uint8Array): Promise<Buffer> {
  return deflate(json, { level: GZIP_LEVEL });
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
