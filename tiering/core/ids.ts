// Keys are values: every identifier is a branded string that only a parse function makes, so that
// two of them cannot be swapped by accident and none reaches a path or a query unchecked.
import { ArchiveError } from './errors.js';

declare const brand: unique symbol;
type Brand<B extends string> = string & { readonly [brand]: B };

export type StudyUid = Brand<'StudyUid'>;
export type SeriesUid = Brand<'SeriesUid'>;
export type SopUid = Brand<'SopUid'>;
/** UUIDv7, lower case with hyphens; kept monotone across restarts by its maker. */
export type PackId = Brand<'PackId'>;
/** 64 lower-case hexadecimal digits. */
export type Sha256 = Brand<'Sha256'>;
/** A configured volume: `[a-z0-9][a-z0-9-]{0,31}`. */
export type VolumeName = Brand<'VolumeName'>;
/** A configured replica: `[a-z0-9][a-z0-9-]{0,31}`. */
export type ReplicaName = Brand<'ReplicaName'>;
/** A key in an object store: `[A-Za-z0-9._/-]`, 1 to 512 characters, no empty or dot segment. */
export type ObjectKey = Brand<'ObjectKey'>;

const UID = /^(?=.{1,64}$)[0-9]+(\.[0-9]+)*$/;
const PACK_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const LABEL = /^[a-z0-9][a-z0-9-]{0,31}$/;
const OBJECT_KEY = /^(?=.{1,512}$)[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

/**
 * Whether `text` is a DICOM UID by the grammar of PS3.5 9.1, except that a component may begin with
 * zero: such UIDs exist in real archives and are harmless as keys, so they are stored with a warning.
 */
export function isUid(text: string): boolean {
  return UID.test(text);
}

function parser<T extends string>(what: string, pattern: RegExp): (text: string) => T {
  return (text) => {
    if (!pattern.test(text)) {
      throw new ArchiveError('INVALID', `not a ${what}: ${JSON.stringify(text.slice(0, 80))}`);
    }
    return text as T;
  };
}

/** Each throws ArchiveError INVALID for text outside of its grammar. */
export const parseStudyUid = parser<StudyUid>('Study Instance UID', UID);
export const parseSeriesUid = parser<SeriesUid>('Series Instance UID', UID);
export const parseSopUid = parser<SopUid>('SOP Instance UID', UID);
export const parsePackId = parser<PackId>('pack id', PACK_ID);
export const parseSha256 = parser<Sha256>('SHA-256', SHA256);
export const parseVolumeName = parser<VolumeName>('volume name', LABEL);
export const parseReplicaName = parser<ReplicaName>('replica name', LABEL);
export const parseObjectKey = parser<ObjectKey>('object key', OBJECT_KEY);

/** The milliseconds since 1970 that a UUIDv7 pack id carries in its first 48 bits (RFC 9562 5.7). */
export function packIdMs(id: PackId): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
