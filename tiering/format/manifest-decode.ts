// Reading the body of a manifest (docs/format.md 5.1) that has been authenticated. Trusts no count,
// length or index in it all the same: an older writer's bug must not become this reader's.
import { gunzipSync } from 'node:zlib';
import { ArchiveError } from '../core/errors.js';
import { type PackId, parsePackId, parseSeriesUid, parseSha256, parseSopUid, parseStudyUid } from '../core/ids.js';
import { CHUNK_BYTES } from '../core/limits.js';
import { CHUNK_SALT_BYTES, COMMITMENT_BYTES, chunkSizes } from './chunk.js';
import {
  arrayField,
  integerField,
  isInteger,
  type JsonRecord,
  jsonRecord,
  recordOf,
  textField,
  UUID,
} from './fields.js';
import { BODY_VERSION } from './manifest-encode.js';
import { checkBody, SUPERSEDES_MAX, TABLE_BYTES_MAX, TRAY_MEMBERS_MAX } from './manifest-rules.js';
import { chunkName } from './names.js';
import type { ManifestBody, PackMember, SeriesBundle } from './types.js';

const SHA256_BYTES = 32;
const CHUNK_ROW_BYTES = SHA256_BYTES + CHUNK_SALT_BYTES + COMMITMENT_BYTES;

/** Takes the bytes apart, in order, and never past their end. */
class Cursor {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  require(count: number): void {
    if (this.#at + count > this.#bytes.length)
      throw new ArchiveError('CORRUPT', `${this.#what}: its body is too short`);
  }

  take(count: number): Buffer {
    this.require(count);
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new ArchiveError('CORRUPT', `${this.#what}: its body is too long`);
  }
}

/**
 * Reads an authenticated body of `pack`'s manifest. CORRUPT when it breaks a rule of the format, NOT_SUPPORTED for a
 * later encoding. Bundles and digests are copies; nothing keeps `bytes` alive.
 */
export function decodeBody(bytes: Buffer, pack: PackId): ManifestBody {
  try {
    const body = readBody(bytes, pack);
    checkBody(body, 'CORRUPT');
    return body;
  } catch (error) {
    if (!(error instanceof ArchiveError) || error.code !== 'INVALID') throw error;
    throw new ArchiveError('CORRUPT', `manifest of pack ${pack}: an id in it is not of its form`);
  }
}

function readBody(bytes: Buffer, pack: PackId): ManifestBody {
  const what = `manifest of pack ${pack}`;
  const cursor = new Cursor(bytes, what);
  const table = jsonRecord(inflate(cursor.take(cursor.take(4).readUInt32BE()), what), what, TABLE_BYTES_MAX);
  const version = integerField(table, 'version', what, 1);
  if (version !== BODY_VERSION) {
    throw new ArchiveError('NOT_SUPPORTED', `${what}: body version ${version}; this filmroom reads ${BODY_VERSION}`);
  }
  if (table.get('pack') !== pack) throw new ArchiveError('CORRUPT', `${what}: its body is of another pack`);
  const kind = textField(table, 'kind', what, /^(pack|tray)$/) === 'tray' ? 'tray' : 'pack';
  const packBytes = integerField(table, 'bytes', what, 1);
  const members = readMembers(table, cursor, what);
  const chunks = readChunks(packBytes, cursor);
  const bundles = readBundles(table, cursor, what);
  cursor.end();
  return {
    archiveId: textField(table, 'archive', what, UUID),
    pack,
    kind,
    generation: integerField(table, 'generation', what, 1),
    createdMs: integerField(table, 'created', what, 0),
    bytes: packBytes,
    members,
    bundles,
    chunks,
    supersedes: texts(table, 'supersedes', what, SUPERSEDES_MAX).map(parsePackId),
  };
}

function readMembers(table: JsonRecord, cursor: Cursor, what: string): readonly PackMember[] {
  const series = arrayField(table, 'series', what, TRAY_MEMBERS_MAX).map((pair) => {
    if (!Array.isArray(pair) || typeof pair[0] !== 'string' || typeof pair[1] !== 'string') {
      throw new ArchiveError('CORRUPT', `${what}: series is not an array of pairs of texts`);
    }
    return { study: parseStudyUid(pair[0]), series: parseSeriesUid(pair[1]) };
  });
  const classes = texts(table, 'classes', what, TRAY_MEMBERS_MAX);
  const syntaxes = texts(table, 'syntaxes', what, TRAY_MEMBERS_MAX);
  const layouts = texts(table, 'layouts', what, TRAY_MEMBERS_MAX);
  const columns = recordOf(table.get('members'), `${what}: members`);
  const sops = texts(columns, 'sop', what, TRAY_MEMBERS_MAX);
  const column = (name: string): readonly unknown[] => {
    const values = arrayField(columns, name, what, sops.length);
    if (values.length !== sops.length) throw new ArchiveError('CORRUPT', `${what}: column ${name} is short`);
    return values;
  };
  const numbers = (name: string): ((at: number) => number) => {
    const values = column(name);
    return (at) => numberIn(values[at], name, what);
  };
  const numbersOrNull = (name: string): ((at: number) => number | null) => {
    const values = column(name);
    return (at) => (values[at] === null ? null : numberIn(values[at], name, what));
  };
  const picks = <T>(name: string, dictionary: readonly T[]): ((at: number) => T) => {
    const number = numbers(name);
    return (at) => {
      const picked = dictionary[number(at)];
      if (picked === undefined) throw new ArchiveError('CORRUPT', `${what}: column ${name} points outside of its list`);
      return picked;
    };
  };
  const of = {
    series: picks('series', series),
    sopClass: picks('class', classes),
    transferSyntax: picks('syntax', syntaxes),
    layout: picks('layout', layouts),
    instanceNumber: numbersOrNull('instanceNumber'),
    seriesNumber: numbersOrNull('seriesNumber'),
    seq: numbers('seq'),
    arrivedMs: numbers('arrived'),
    start: numbers('start'),
    length: numbers('length'),
    metaStart: numbers('metaStart'),
    metaLength: numbers('metaLength'),
  };
  return sops.map((sop, at) => ({
    study: of.series(at).study,
    series: of.series(at).series,
    sop: parseSopUid(sop),
    sopClass: of.sopClass(at),
    transferSyntax: of.transferSyntax(at),
    instanceNumber: of.instanceNumber(at),
    seriesNumber: of.seriesNumber(at),
    seq: of.seq(at),
    arrivedMs: of.arrivedMs(at),
    start: of.start(at),
    end: of.start(at) + of.length(at),
    sha256: parseSha256(cursor.take(SHA256_BYTES).toString('hex')),
    layout: of.layout(at),
    metaStart: of.metaStart(at),
    metaEnd: of.metaStart(at) + of.metaLength(at),
  }));
}

function readChunks(packBytes: number, cursor: Cursor): ManifestBody['chunks'] {
  // Before the sizes are listed: a pack of 2^53 bytes would have a thousand million of them.
  cursor.require(Math.ceil(packBytes / CHUNK_BYTES) * CHUNK_ROW_BYTES);
  return chunkSizes(packBytes).map((bytes) => {
    const name = chunkName(parseSha256(cursor.take(SHA256_BYTES).toString('hex')));
    const salt = Uint8Array.from(cursor.take(CHUNK_SALT_BYTES));
    return { bytes, salt, commitment: Uint8Array.from(cursor.take(COMMITMENT_BYTES)), name };
  });
}

function readBundles(table: JsonRecord, cursor: Cursor, what: string): readonly SeriesBundle[] {
  return arrayField(table, 'bundles', what, TRAY_MEMBERS_MAX).map((item) => {
    if (!Array.isArray(item) || typeof item[0] !== 'string' || !isInteger(item[1], 0)) {
      throw new ArchiveError('CORRUPT', `${what}: bundles is not an array of series and lengths`);
    }
    return { series: parseSeriesUid(item[0]), gzip: Uint8Array.from(cursor.take(item[1])) };
  });
}

function numberIn(value: unknown, name: string, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new ArchiveError('CORRUPT', `${what}: column ${name} holds something that is no integer`);
}

function texts(fields: JsonRecord, name: string, what: string, itemsMax: number): readonly string[] {
  return arrayField(fields, name, what, itemsMax).map((value) => {
    if (typeof value === 'string') return value;
    throw new ArchiveError('CORRUPT', `${what}: ${name} holds something that is no text`);
  });
}

function inflate(table: Buffer, what: string): Buffer {
  try {
    return gunzipSync(table, { maxOutputLength: TABLE_BYTES_MAX });
  } catch (cause) {
    throw new ArchiveError('CORRUPT', `${what}: its table does not inflate`, { cause });
  }
}
