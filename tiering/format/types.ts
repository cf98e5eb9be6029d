// The records that the cold format is made of (docs/format.md has the bytes). Types only.
import type { ObjectKey, PackId, SeriesUid, Sha256, SopUid, StudyUid } from '../core/ids.js';

export type PackKind = 'tray' | 'pack';

/** One instance in a pack, as the manifest lists it. Offsets are of the pack's (tar's) bytes. */
export interface PackMember {
  readonly study: StudyUid;
  readonly series: SeriesUid;
  readonly sop: SopUid;
  readonly sopClass: string;
  readonly transferSyntax: string;
  readonly instanceNumber: number | null;
  readonly seriesNumber: number | null;
  /** Archive-wide arrival number: order comes from it, never from a clock. */
  readonly seq: number;
  readonly arrivedMs: number;
  /** `[start, end)` of the Part 10 bytes in the pack. */
  readonly start: number;
  readonly end: number;
  readonly sha256: Sha256;
  /** InstanceLayout as JSON text (dicom/layout.ts). */
  readonly layout: string;
  /** `[metaStart, metaEnd)` of its DICOM JSON object in its series' bundle, in bytes of the inflated text. */
  readonly metaStart: number;
  readonly metaEnd: number;
}

/** The DICOM JSON objects of one series in one pack, joined with commas in member order, as gzip. */
export interface SeriesBundle {
  readonly series: SeriesUid;
  readonly gzip: Uint8Array;
}

/** One chunk of a sealed pack. Salt is drawn before the first PUT, the name recorded before its PUT. */
export interface SealedChunk {
  /** Plaintext bytes: CHUNK_BYTES, the last one less. */
  readonly bytes: number;
  /** 32 random bytes. */
  readonly salt: Uint8Array;
  /** 32 bytes that tell a wrong key from damage. */
  readonly commitment: Uint8Array;
  /** `c/<hh>/<sha256>`, null until it was sealed for the first time. */
  readonly name: ObjectKey | null;
}

/** What is drawn once per pack and kept, so that sealing again gives the same bytes. */
export interface PackSeal {
  /** Cipher suite id: 1 = AES-256-GCM. */
  readonly suite: number;
  /** Name of the keyring's key that wraps the DEK. */
  readonly kekId: string;
  /** 32 random bytes: salt of the one-time wrapping key. */
  readonly wrapSalt: Uint8Array;
  /** 48 bytes: DEK encrypted under the wrapping key, with tag. */
  readonly wrappedDek: Uint8Array;
  /** 16 bytes: names the DEK in chunk headers. */
  readonly dekId: Uint8Array;
  readonly chunks: readonly SealedChunk[];
}

/** How a DEK is wrapped: the part of a seal that rotation replaces. */
export type DekWrap = Pick<PackSeal, 'kekId' | 'wrapSalt' | 'wrappedDek'>;

/** The sealed part of a manifest: everything an index needs about one pack. */
export interface ManifestBody {
  readonly archiveId: string;
  readonly pack: PackId;
  readonly kind: PackKind;
  readonly generation: number;
  readonly createdMs: number;
  /** Bytes of the pack. */
  readonly bytes: number;
  readonly members: readonly PackMember[];
  readonly bundles: readonly SeriesBundle[];
  readonly chunks: readonly (Omit<SealedChunk, 'name'> & { readonly name: ObjectKey })[];
  /** Packs that this one's retirement or filing made dead; empty in generation 1 of an ordinary pack. */
  readonly supersedes: readonly PackId[];
}

/** One instance that was deleted: every arrival of these bytes under this UID that came before the delete. */
export interface TombstoneEntry {
  readonly sop: SopUid;
  readonly sha256: Sha256;
}

/** What a delete says: of each entry, arrivals with a smaller seq are dead, wherever they turn up. A later arrival lives. */
export interface Tombstone {
  /** The delete's own number in the order of arrivals. */
  readonly seq: number;
  /** 1 to TOMBSTONE_ENTRIES_MAX. */
  readonly entries: readonly TombstoneEntry[];
}

/** Whether a study is under legal hold: then nothing of it is deleted. */
export interface StudyHold {
  readonly study: StudyUid;
  readonly held: boolean;
  /** When it was said. */
  readonly atMs: number;
  /** In the operator's words; may be empty. */
  readonly reason: string;
}

/** One statement about it; of those about one study the one with the highest seq counts. */
export interface HoldStatement {
  /** Its own number in the order of arrivals. */
  readonly seq: number;
  readonly hold: StudyHold;
}
