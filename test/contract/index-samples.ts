// Made-up arrivals for the tests of an index: small, valid, and steered by a few numbers.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import {
  type ObjectKey,
  type PackId,
  parseObjectKey,
  parsePackId,
  parseSeriesUid,
  parseSha256,
  parseSopUid,
  parseStudyUid,
  parseVolumeName,
} from '../../tiering/core/ids.js';
import type { PackKind, PackMember, PackSeal, SeriesBundle } from '../../tiering/format/types.js';
import type { AdoptedPack, ArrivedInstance, FiledPack, HotState, NewPack } from '../../tiering/index/index.js';

export const VOLUME = parseVolumeName('a');
export const CT = '1.2.840.10008.5.1.4.1.1.2';

export function packId(n: number): PackId {
  return parsePackId(`018f0000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`);
}

export function newPack(n: number, options: { kind?: PackKind; hot?: HotState; bytes?: number } = {}): NewPack {
  const kind = options.kind ?? 'tray';
  const hot = options.hot ?? (kind === 'tray' ? 'open' : 'present');
  return {
    id: packId(n),
    kind,
    bytes: options.bytes ?? 0,
    createdMs: 1_000 + n,
    hot,
    volume: hot === 'cold' ? null : VOLUME,
  };
}

export type Attributes = Readonly<Record<string, unknown>>;

export interface Sample {
  readonly study: number;
  readonly series: number;
  readonly instance: number;
  readonly seq: number;
  readonly pack: number;
  /** Annex F members on top of the UIDs, by level; `full` is in the metadata alone. */
  readonly attributes?: {
    readonly study?: Attributes;
    readonly series?: Attributes;
    readonly instance?: Attributes;
    readonly full?: Attributes;
  };
  readonly instanceNumber?: number | null;
  readonly seriesNumber?: number | null;
  /** Another study and series for the same SOP Instance UID. */
  readonly sopOf?: string;
  readonly sopClass?: string;
}

export const studyUid = (study: number) => parseStudyUid(`1.2.${study}`);
export const seriesUid = (study: number, series: number) => parseSeriesUid(`1.2.${study}.${series}`);
export const sopUid = (study: number, series: number, instance: number) =>
  parseSopUid(`1.2.${study}.${series}.${instance}`);

function uid(value: string): unknown {
  return { vr: 'UI', Value: [value] };
}

export function arrival(sample: Sample): ArrivedInstance {
  const study = studyUid(sample.study);
  const series = seriesUid(sample.study, sample.series);
  const sop =
    sample.sopOf === undefined ? sopUid(sample.study, sample.series, sample.instance) : parseSopUid(sample.sopOf);
  const given = sample.attributes ?? {};
  const levels = {
    study: { ...given.study, '0020000D': uid(study) },
    series: { ...given.series, '0020000E': uid(series) },
    instance: { ...given.instance, '00080018': uid(sop) },
  };
  const full = JSON.stringify({ ...levels.study, ...levels.series, ...levels.instance, ...given.full });
  return {
    study,
    series,
    sop,
    sopClass: sample.sopClass ?? CT,
    transferSyntax: '1.2.840.10008.1.2.1',
    instanceNumber: sample.instanceNumber === undefined ? sample.instance : sample.instanceNumber,
    seriesNumber: sample.seriesNumber === undefined ? sample.series : sample.seriesNumber,
    seq: sample.seq,
    arrivedMs: 10_000 + sample.seq,
    pack: packId(sample.pack),
    start: sample.seq * 1_000,
    end: sample.seq * 1_000 + 100,
    sha256: parseSha256(createHash('sha256').update(`${sop}/${sample.seq}`).digest('hex')),
    attributes: {
      study: JSON.stringify(levels.study),
      series: JSON.stringify(levels.series),
      instance: JSON.stringify(levels.instance),
    },
    metadata: gzipSync(full),
    layout: JSON.stringify({ deflated: false, pixels: null, bulk: [], seq: sample.seq }),
  };
}

/** A pack that holds these arrivals, in this order, with bundles of their metadata texts. */
export function filed(
  pack: NewPack,
  arrivals: readonly ArrivedInstance[],
  inflate: (gzip: Uint8Array) => string,
): FiledPack {
  const texts = new Map<string, string>();
  const members: PackMember[] = arrivals.map((one, at) => {
    const before = texts.get(one.series);
    const metaStart = before === undefined ? 0 : Buffer.byteLength(before) + 1;
    const own = inflate(one.metadata);
    texts.set(one.series, before === undefined ? own : `${before},${own}`);
    const { pack: _pack, attributes: _attributes, metadata: _metadata, ...record } = one;
    return { ...record, start: at * 512, end: at * 512 + 100, metaStart, metaEnd: metaStart + Buffer.byteLength(own) };
  });
  const bundles: SeriesBundle[] = [...texts].map(([series, text]) => ({
    series: parseSeriesUid(series),
    gzip: gzipSync(text),
  }));
  return { pack, members, bundles };
}

export function adopted(
  pack: NewPack,
  arrivals: readonly ArrivedInstance[],
  inflate: (gzip: Uint8Array) => string,
): AdoptedPack {
  return {
    ...filed(pack, arrivals, inflate),
    seal: null,
    manifest: null,
    placements: [],
    attributes: arrivals.map((one) => one.attributes),
  };
}

/** A seal of `fill` everywhere. */
export function seal(fill: number, chunks = 2): PackSeal {
  const bytes = (length: number, value = fill) => new Uint8Array(length).fill(value);
  return {
    suite: 1,
    kekId: 'kek-1',
    wrapSalt: bytes(32),
    wrappedDek: bytes(48),
    dekId: bytes(16),
    chunks: Array.from({ length: chunks }, (_, n) => ({
      bytes: 8_388_608,
      salt: bytes(32, fill + n),
      commitment: bytes(32, 9),
      name: null,
    })),
  };
}

export const chunkName = (digit: string): ObjectKey => parseObjectKey(`c/${digit.repeat(2)}/${digit.repeat(64)}`);
/** Of pack 1. */
export const manifestName = (generation: number): ObjectKey => parseObjectKey(`m/${packId(1)}/${generation}-00000000`);
