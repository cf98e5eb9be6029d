// Names of the objects in a replica, and the two small plain ones. No name carries patient data or a
// UID; a name that none of the parsers knows is foreign and is left alone.
import { ArchiveError } from '../core/errors.js';
import { type ObjectKey, type PackId, parseObjectKey, parsePackId, parseSha256, type Sha256 } from '../core/ids.js';
import { arrayField, integerField, isInteger, type JsonRecord, jsonRecord, textField, UUID } from './fields.js';
import { AES_ALONE } from './suites.js';

export const CONFIG_NAME = parseObjectKey('config');
export const README_NAME = parseObjectKey('README.txt');
export const MANIFEST_PREFIX = 'm/';
export const TOMBSTONE_PREFIX = 't/';
export const HOLD_PREFIX = 'h/';
/** Version of the whole: chunks, manifests, names. */
export const FORMAT_VERSION = 1;

const SUITES_MAX = 16;

const CHUNK = /^c\/([0-9a-f]{2})\/([0-9a-f]{64})$/;
const MANIFEST = /^m\/([0-9a-f-]{36})\/([1-9][0-9]{0,14})-([0-9a-f]{8})$/;
const HOLD = /^h\/([1-9][0-9]{0,14})-([0-9a-f]{64})$/;
const TOMBSTONE = /^t\/([1-9][0-9]{0,14})-([0-9a-f]{64})$/;

/** `c/<first two digits>/<sha256>` of the sealed object's bytes. */
export function chunkName(sha256: Sha256): ObjectKey {
  return parseObjectKey(`c/${sha256.slice(0, 2)}/${sha256}`);
}

/** The SHA-256 that a chunk's name states; undefined for a name of another kind. */
export function parseChunkName(name: string): Sha256 | undefined {
  const match = CHUNK.exec(name);
  if (match?.[2] === undefined || match[1] !== match[2].slice(0, 2)) return undefined;
  return parseSha256(match[2]);
}

export interface ManifestName {
  readonly pack: PackId;
  readonly generation: number;
  /** First 8 digits of SHA-256 of the object's bytes. */
  readonly hash8: string;
}

/** `m/<pack>/<generation>-<hash8>`; `sha256` is of the sealed manifest's bytes. */
export function manifestName(pack: PackId, generation: number, sha256: Sha256): ObjectKey {
  const name = `m/${pack}/${generation}-${sha256.slice(0, 8)}`;
  if (!MANIFEST.test(name)) throw new ArchiveError('INVALID', `not a generation number: ${generation}`);
  return parseObjectKey(name);
}

/** What a manifest's name states; undefined for a name of another kind. */
export function parseManifestName(name: string): ManifestName | undefined {
  const match = MANIFEST.exec(name);
  if (match?.[1] === undefined || match[2] === undefined || match[3] === undefined) return undefined;
  try {
    return { pack: parsePackId(match[1]), generation: Number(match[2]), hash8: match[3] };
  } catch {
    return undefined;
  }
}

/** `m/<pack>/`: what all manifests of one pack begin with. */
export function manifestPrefix(pack: PackId): string {
  return `${MANIFEST_PREFIX}${pack}/`;
}

/** `t/<seq>-` or `h/<seq>-`: what all objects that say the same as `name` begin with. */
export function statementPrefix(name: ObjectKey): string {
  return name.slice(0, name.indexOf('-') + 1);
}

/** `h/<seq>-<sha256>`; `sha256` is of the hold object's bytes. */
export function holdName(seq: number, sha256: Sha256): ObjectKey {
  const name = `h/${seq}-${sha256}`;
  if (!HOLD.test(name)) throw new ArchiveError('INVALID', `not an arrival number: ${seq}`);
  return parseObjectKey(name);
}

export interface StatementName {
  readonly kind: 'tombstone' | 'hold';
  readonly seq: number;
  readonly sha256: Sha256;
}

/** What the name of a tombstone or a hold states; undefined for a name of another kind. */
export function parseStatementName(name: string): StatementName | undefined {
  const match = TOMBSTONE.exec(name) ?? HOLD.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const kind = name.startsWith(HOLD_PREFIX) ? 'hold' : 'tombstone';
  return { kind, seq: Number(match[1]), sha256: parseSha256(match[2]) };
}

/** `t/<seq>-<sha256>`; `sha256` is of the tombstone object's bytes. */
export function tombstoneName(seq: number, sha256: Sha256): ObjectKey {
  const name = `t/${seq}-${sha256}`;
  if (!TOMBSTONE.test(name)) throw new ArchiveError('INVALID', `not an arrival number: ${seq}`);
  return parseObjectKey(name);
}

/** The object `config`: whose replica this is. Not authenticated: it guards from mistakes, not from attackers. */
export interface ReplicaConfig {
  readonly formatVersion: number;
  readonly archiveId: string;
  /** Rises with every owner; a gateway that sees a higher one than its own stops writing there. */
  readonly ownerEpoch: number;
  /** How far the owner's index had come: one that is not so far is an older copy. Left out when 0. */
  readonly generation: number;
  /** Cipher suites that the archive opens; the field is left out when it is AES-256-GCM alone. */
  readonly suites: readonly number[];
}

export function encodeConfig(config: ReplicaConfig): Uint8Array {
  const { formatVersion, archiveId, ownerEpoch, generation, suites } = config;
  const rule = suites.join() === AES_ALONE.open.join() ? {} : { suites };
  return Buffer.from(
    `${JSON.stringify({ formatVersion, archiveId, ownerEpoch, ...(generation === 0 ? {} : { generation }), ...rule })}\n`,
  );
}

/** CORRUPT when it is not a config at all, NOT_SUPPORTED when it is of a later format. */
export function parseConfig(bytes: Uint8Array): ReplicaConfig {
  const fields = jsonRecord(bytes, 'config', 4096);
  const formatVersion = integerField(fields, 'formatVersion', 'config', 1);
  if (formatVersion !== FORMAT_VERSION) {
    throw new ArchiveError('NOT_SUPPORTED', `the replica has format ${formatVersion}; this filmroom reads format 1`);
  }
  return {
    formatVersion,
    archiveId: textField(fields, 'archiveId', 'config', UUID),
    ownerEpoch: integerField(fields, 'ownerEpoch', 'config', 0),
    generation: fields.has('generation') ? integerField(fields, 'generation', 'config', 0) : 0,
    suites: suitesIn(fields),
  };
}

function suitesIn(fields: JsonRecord): readonly number[] {
  if (!fields.has('suites')) return AES_ALONE.open;
  return arrayField(fields, 'suites', 'config', SUITES_MAX).map((suite) => {
    if (isInteger(suite, 1)) return suite;
    throw new ArchiveError('CORRUPT', 'config: suites holds something that is no cipher suite');
  });
}

/** The text of `README.txt`, for whoever finds the bucket in ten years. */
export function readmeText(archiveId: string): string {
  return `This is a replica of a Filmroom archive: medical images (DICOM), encrypted.

Archive: ${archiveId}
Format:  ${FORMAT_VERSION}

  c/...     chunks: pieces of the image packs, sealed; the name is SHA-256 of the object
  m/...     manifests: what is in each pack, and its wrapped key
  t/...     tombstones: what was deleted
  config    whose replica this is

Nothing here may be renamed, changed or deleted by hand; life-cycle rules that expire objects lose images.

To get every image back as ordinary DICOM files you need this bucket (or a copy of it) and the
archive's keyring file, and nothing else: no server, no database.

  filmroom extract --replica URL --keyring keyring.json --out DIR

Without Filmroom: docs/format.md of its sources describes every byte, and test/vectors/open_bucket.py
is a reader of 200 lines.
`;
}
