// Reading stored metadata: as parts for an answer, one object by itself, and as the bundles of a pack.
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import type { Database, Statement } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';
import type { PackId, SeriesUid, StudyUid } from '../../core/ids.js';
import type { PackMember, SeriesBundle } from '../../format/types.js';
import type { InstanceRecord, MetadataPart, Scope } from '../index.js';
import {
  type InstanceReader,
  type InstanceRow,
  type Page,
  type Position,
  positionOf,
  toRecord,
} from './read-instances.js';
import { transferred } from './thread-server.js';

/** Instances that one page of metadata may cover. */
const PAGE_INSTANCES_MAX = 4_096;
/** A page ends before it would hold more than this (two bundles always fit). */
const PAGE_BYTES_MAX = 4 * 1024 * 1024;
const BUNDLES_MIN = 2;
/** One object's JSON beyond this is refused: it would not be metadata. */
const INFLATED_BYTES_MAX = 512 * 1024 * 1024;

interface OpenPart {
  readonly series: SeriesUid;
  readonly gzip: Uint8Array;
  readonly picks: { readonly start: number; readonly end: number }[] | null;
}

export class MetadataReader {
  readonly #instances: InstanceReader;
  readonly #bundle: Statement<[number], { gzip: Uint8Array }>;
  readonly #single: Statement<[number], { metadata: Uint8Array }>;

  constructor(db: Database, instances: InstanceReader) {
    this.#instances = instances;
    this.#bundle = db.prepare('SELECT gzip FROM bundles WHERE id = ?');
    this.#single = db.prepare('SELECT metadata FROM unbundled WHERE id = ?');
  }

  #bundleBytes(id: number): Uint8Array {
    const row = this.#bundle.get(id);
    if (row === undefined) throw damaged('a metadata bundle');
    return row.gzip;
  }

  #singleBytes(id: number): Uint8Array {
    const row = this.#single.get(id);
    if (row === undefined) throw damaged("an instance's metadata");
    return row.metadata;
  }

  /**
   * The parts for the instances after `position`. A bundle comes once a page, where its first instance stands; its
   * others follow in reading order, so parts of one series that come from different packs are not interleaved.
   */
  page(scope: Scope, position: Position | null): Page<MetadataPart> {
    const parts: OpenPart[] = [];
    const open = new Map<number, OpenPart>();
    let bytes = 0;
    let last: InstanceRow | undefined;
    let cut = false;
    for (const row of this.#instances.rowsAfter(scope, position, PAGE_INSTANCES_MAX)) {
      const part = row.bundle === null ? undefined : open.get(row.bundle);
      if (part === undefined) {
        const gzip = row.bundle === null ? this.#singleBytes(row.id) : this.#bundleBytes(row.bundle);
        const admitted = parts.length === 0 || bytes + gzip.length <= PAGE_BYTES_MAX || mayStill(row, open);
        if (!admitted) {
          cut = true;
          break;
        }
        bytes += gzip.length;
        const added: OpenPart = {
          series: row.series as SeriesUid,
          gzip,
          picks: row.bundle === null ? null : [pickOf(row)],
        };
        parts.push(added);
        if (row.bundle !== null) open.set(row.bundle, added);
      } else {
        part.picks?.push(pickOf(row));
      }
      last = row;
    }
    return {
      items: parts.map(finished),
      next: last === undefined ? null : cut || this.#fullPage(scope, last) ? positionOf(last) : null,
    };
  }

  /** Whether anything follows `row`: a page may have ended at its limit of instances. */
  #fullPage(scope: Scope, row: InstanceRow): boolean {
    return [...this.#instances.rowsAfter(scope, positionOf(row), 1)].length > 0;
  }

  /**
   * The DICOM JSON object of one instance, as UTF-8 text. `held`: the bundle of the instance before, inflated, for who reads
   * a series one by one; without it no more is inflated than the object needs.
   */
  objectText(
    row: Pick<InstanceRow, 'id' | 'bundle' | 'meta_start' | 'meta_end'>,
    held?: Map<number, Uint8Array>,
  ): Uint8Array {
    if (row.bundle === null) return inflate(this.#singleBytes(row.id));
    if (held !== undefined) {
      if (!held.has(row.bundle)) held.clear();
      return this.#slice(held, row.bundle, pickOf(row));
    }
    const { start, end } = pickOf(row);
    return inflatePrefix(this.#bundleBytes(row.bundle), end).subarray(start, end);
  }

  /** Live instances of a study that are in trays, each with its own gzip of its DICOM JSON object. */
  unfiledInstances(
    study: StudyUid,
  ): readonly (InstanceRecord & { readonly metadata: Uint8Array; readonly layout: string })[] {
    const inflated = new Map<number, Uint8Array>();
    return this.#instances.rowsInTrays(study).map((row) => ({
      ...toRecord(row),
      layout: row.layout,
      metadata:
        row.bundle === null
          ? transferred(this.#singleBytes(row.id))
          : new Uint8Array(gzipSync(this.#slice(inflated, row.bundle, pickOf(row)))),
    }));
  }

  #slice(
    inflated: Map<number, Uint8Array>,
    bundle: number,
    pick: { readonly start: number; readonly end: number },
  ): Uint8Array {
    let text = inflated.get(bundle);
    if (text === undefined) {
      text = inflate(this.#bundleBytes(bundle));
      inflated.set(bundle, text);
    }
    if (pick.end > text.length) throw damaged('a metadata bundle');
    return text.subarray(pick.start, pick.end);
  }

  /** Live members of a pack by their place in it, and bundles that hold the metadata of each. */
  packContents(id: PackId): { readonly members: readonly PackMember[]; readonly bundles: readonly SeriesBundle[] } {
    const rows = this.#instances.rowsOfPack(id);
    const bySeries = new Map<string, (InstanceRow & { readonly layout: string })[]>();
    for (const row of rows) {
      const list = bySeries.get(row.series);
      if (list === undefined) bySeries.set(row.series, [row]);
      else list.push(row);
    }
    const bundles: SeriesBundle[] = [];
    const metaOf = new Map<number, { readonly start: number; readonly end: number }>();
    for (const [series, members] of bySeries) {
      const [first] = members;
      const stored = first?.bundle ?? null;
      if (stored !== null && members.every((row) => row.bundle === stored)) {
        bundles.push({ series: series as SeriesUid, gzip: transferred(this.#bundleBytes(stored)) });
        for (const row of members) metaOf.set(row.id, pickOf(row));
      } else {
        bundles.push({ series: series as SeriesUid, gzip: this.#bundleOf(members, metaOf) });
      }
    }
    return { members: rows.map((row) => toMember(row, metaOf)), bundles };
  }

  /** Makes the bundle of instances that have none in common (a tray's): their objects joined with commas. */
  #bundleOf(
    rows: readonly InstanceRow[],
    metaOf: Map<number, { readonly start: number; readonly end: number }>,
  ): Uint8Array {
    const inflated = new Map<number, Uint8Array>();
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const row of rows) {
      if (pieces.length > 0) {
        pieces.push(COMMA);
        at += 1;
      }
      const text =
        row.bundle === null ? inflate(this.#singleBytes(row.id)) : this.#slice(inflated, row.bundle, pickOf(row));
      pieces.push(text);
      metaOf.set(row.id, { start: at, end: at + text.length });
      at += text.length;
    }
    return new Uint8Array(gzipSync(Buffer.concat(pieces)));
  }
}

const COMMA = new Uint8Array([0x2c]);

function damaged(what: string): ArchiveError {
  return new ArchiveError('CORRUPT', `the index lacks ${what} that it refers to; run \`filmroom rebuild-index\``);
}

function mayStill(row: InstanceRow, open: ReadonlyMap<number, OpenPart>): boolean {
  return row.bundle !== null && open.size < BUNDLES_MIN;
}

function pickOf(row: Pick<InstanceRow, 'meta_start' | 'meta_end'>): { readonly start: number; readonly end: number } {
  if (row.meta_start === null || row.meta_end === null) throw damaged('the place of metadata in a bundle');
  return { start: row.meta_start, end: row.meta_end };
}

function toMember(
  row: InstanceRow & { readonly layout: string },
  metaOf: ReadonlyMap<number, { readonly start: number; readonly end: number }>,
): PackMember {
  const { pack: _pack, ...record } = toRecord(row);
  const meta = metaOf.get(row.id);
  if (meta === undefined) throw damaged('the place of metadata in a bundle');
  return { ...record, layout: row.layout, metaStart: meta.start, metaEnd: meta.end };
}

/** A part whose picks cover the whole text, in its order, needs none. */
function finished(part: OpenPart): MetadataPart {
  const { series, gzip, picks } = part;
  const whole = picks === null || isWhole(picks, gzip);
  return { series, gzip: transferred(gzip), picks: whole ? null : picks };
}

/** Objects are joined with one comma each, and gzip ends with the length of its text modulo 2^32 (RFC 1952 2.3.1). */
function isWhole(picks: readonly { readonly start: number; readonly end: number }[], gzip: Uint8Array): boolean {
  let at = 0;
  for (const { start, end } of picks) {
    if (start !== at) return false;
    at = end + 1;
  }
  const length = new DataView(gzip.buffer, gzip.byteOffset + gzip.length - 4, 4).getUint32(0, true);
  return (at - 1) % 2 ** 32 === length;
}

function inflate(gzip: Uint8Array): Uint8Array {
  try {
    return gunzipSync(gzip, { maxOutputLength: INFLATED_BYTES_MAX });
  } catch (cause) {
    throw new ArchiveError('CORRUPT', 'metadata in the index does not inflate; run `filmroom rebuild-index`', {
      cause,
    });
  }
}

/** At least the first `bytes` of the text, inflating no more of a large bundle than about that. */
function inflatePrefix(gzip: Uint8Array, bytes: number): Uint8Array {
  for (let taken = 16 * 1024; taken < gzip.length; taken *= 4) {
    const text = gunzipSync(gzip.subarray(0, taken), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: INFLATED_BYTES_MAX,
    });
    if (text.length >= bytes) return text;
  }
  const whole = inflate(gzip);
  if (whole.length < bytes) throw damaged('part of a metadata bundle');
  return whole;
}
