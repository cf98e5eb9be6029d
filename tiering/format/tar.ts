// Member headers of packs and trays: 1536 bytes whatever the member (docs/format.md 2.1), which GNU tar,
// bsdtar and Python's tarfile read without a warning. Making them is pure and canonical: one set of
// values has one header, so that a reader can make it again and compare.
import { createHash } from 'node:crypto';
import { ArchiveError } from '../core/errors.js';
import {
  type PackId,
  parsePackId,
  parseSeriesUid,
  parseSha256,
  parseSopUid,
  parseStudyUid,
  type SeriesUid,
  type Sha256,
  type SopUid,
  type StudyUid,
} from '../core/ids.js';
import { INSTANCE_BYTES_MAX } from '../core/limits.js';

export const TAR_BLOCK_BYTES = 512;
/** Length of every member header, so that room for one can be left before size and hash are known. */
export const MEMBER_HEADER_BYTES = 3 * TAR_BLOCK_BYTES;
/** What a finished pack ends with. A tray has none. */
export const TAR_END: Uint8Array = new Uint8Array(2 * TAR_BLOCK_BYTES);

/** From here on ustar's 11 octal digits are too few and the pax record `size=` takes over. */
const USTAR_SIZE_LIMIT = 8 ** 11;
const ARRIVED_MS_MAX = USTAR_SIZE_LIMIT * 1000 - 1;
const PAX_NAME = 'PaxHeaders/filmroom';
const CHECK_DIGITS = 16;
const COMMENT =
  /^\d+ comment=filmroom1 (instance|note) pack=([0-9a-f-]{36}) seq=(\d{1,16}) arrived=(\d{1,16}) sha256=([0-9a-f]{64}) check=[0-9a-f]{16}\n(?:\d+ size=(\d{1,16})\n)?$/;
const VERSIONED = /^\d+ comment=filmroom\d+ [^\n]* check=[0-9a-f]{16}\n/;
const INSTANCE_NAME = /^([0-9.]+)\/([0-9.]+)\/([0-9.]+)\.dcm$/;

/** What every member header says, of instances and notes alike. */
interface MemberStatement {
  /** The pack or tray that it is written in. */
  readonly pack: PackId;
  /** 0 for a note. */
  readonly seq: number;
  readonly arrivedMs: number;
  /** Bytes of the data, without padding. */
  readonly bytes: number;
  /** SHA-256 of the data. */
  readonly sha256: Sha256;
}

export interface InstanceMember extends MemberStatement {
  readonly study: StudyUid;
  readonly series: SeriesUid;
  readonly sop: SopUid;
}

export interface NoteMember extends MemberStatement {
  /** Path of the member, under `.filmroom/`. */
  readonly name: string;
}

export type MemberHeader = ({ readonly kind: 'instance' } & InstanceMember) | ({ readonly kind: 'note' } & NoteMember);

/** Zero bytes that follow a member's data: up to the next multiple of 512. */
export function memberPadding(bytes: number): number {
  return (TAR_BLOCK_BYTES - (bytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
}

/** Bytes that a member takes up in the tar: header, data and padding. */
export function memberBytes(bytes: number): number {
  return MEMBER_HEADER_BYTES + bytes + memberPadding(bytes);
}

/** The 1536 bytes before an instance's data. LIMIT beyond INSTANCE_BYTES_MAX; INVALID for a number that is none. */
export function memberHeader(member: InstanceMember): Uint8Array {
  return encodeHeader('instance', `${member.study}/${member.series}`, `${member.sop}.dcm`, member);
}

/** The 1536 bytes before a note's data. `name` is at most 100 characters. */
export function noteHeader(member: NoteMember): Uint8Array {
  return encodeHeader('note', '', member.name, member);
}

/**
 * What a header says, or undefined when it is damaged or no header of `pack` at all. NOT_SUPPORTED when it is sound
 * and of a later version or kind.
 */
export function parseMemberHeader(header: Uint8Array, pack: PackId): MemberHeader | undefined {
  if (header.length !== MEMBER_HEADER_BYTES) return undefined;
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const records = fieldText(bytes, TAR_BLOCK_BYTES, TAR_BLOCK_BYTES);
  const versioned = VERSIONED.exec(records);
  if (versioned === null) return undefined;
  const checkAt = TAR_BLOCK_BYTES + versioned[0].length - 1 - CHECK_DIGITS;
  if (bytes.toString('latin1', checkAt, checkAt + CHECK_DIGITS) !== checkDigits(bytes, checkAt)) return undefined;
  const match = COMMENT.exec(records);
  if (match === null) {
    throw new ArchiveError('NOT_SUPPORTED', `pack ${pack}: a member of a later format version; use a newer filmroom`);
  }
  if (match[2] !== pack) return undefined;
  try {
    const member = readMember(bytes, match);
    const again = member.kind === 'instance' ? memberHeader(member) : noteHeader(member);
    return bytes.equals(again) ? member : undefined;
  } catch (error) {
    if (error instanceof ArchiveError) return undefined;
    throw error;
  }
}

function readMember(bytes: Buffer, match: RegExpExecArray): MemberHeader {
  const file = 2 * TAR_BLOCK_BYTES;
  const [, kind = '', pack = '', seq = '', arrived = '', sha256 = '', paxSize] = match;
  const statement: MemberStatement = {
    pack: parsePackId(pack),
    seq: Number(seq),
    arrivedMs: Number(arrived),
    bytes: paxSize === undefined ? Number.parseInt(fieldText(bytes, file + 124, 12), 8) : Number(paxSize),
    sha256: parseSha256(sha256),
  };
  const prefix = fieldText(bytes, file + 345, 155);
  const name = fieldText(bytes, file, 100);
  if (kind === 'note') return { kind: 'note', name, ...statement };
  const [, study = '', series = '', sop = ''] = INSTANCE_NAME.exec(`${prefix}/${name}`) ?? [];
  return {
    kind: 'instance',
    study: parseStudyUid(study),
    series: parseSeriesUid(series),
    sop: parseSopUid(sop),
    ...statement,
  };
}

function encodeHeader(kind: 'instance' | 'note', prefix: string, name: string, member: MemberStatement): Uint8Array {
  const { pack, seq, arrivedMs, bytes, sha256 } = member;
  requireNumber(pack, 'member length', bytes, 1, Number.MAX_SAFE_INTEGER);
  if (bytes > INSTANCE_BYTES_MAX) {
    throw new ArchiveError('LIMIT', `pack ${pack}: a member of ${bytes} bytes is too long`);
  }
  requireNumber(pack, 'arrival number', seq, 0, Number.MAX_SAFE_INTEGER);
  requireNumber(pack, 'arrival time', arrivedMs, 0, ARRIVED_MS_MAX);
  if (prefix.length > 155 || name.length > 100) throw new ArchiveError('INVALID', `pack ${pack}: a name is too long`);

  const zeros = '0'.repeat(CHECK_DIGITS);
  const comment = paxRecord(
    'comment',
    `filmroom1 ${kind} pack=${pack} seq=${seq} arrived=${arrivedMs} sha256=${sha256} check=${zeros}`,
  );
  const large = bytes >= USTAR_SIZE_LIMIT;
  const records = large ? comment + paxRecord('size', String(bytes)) : comment;
  const seconds = Math.floor(arrivedMs / 1000);
  const header = Buffer.alloc(MEMBER_HEADER_BYTES);
  writeUstar(header.subarray(0, TAR_BLOCK_BYTES), '', PAX_NAME, 'x', records.length, seconds);
  header.write(records, TAR_BLOCK_BYTES, 'latin1');
  writeUstar(header.subarray(2 * TAR_BLOCK_BYTES), prefix, name, '0', large ? 0 : bytes, seconds);
  const checkAt = TAR_BLOCK_BYTES + comment.length - 1 - CHECK_DIGITS;
  header.write(checkDigits(header, checkAt), checkAt, 'latin1');
  return header;
}

function requireNumber(pack: PackId, what: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new ArchiveError('INVALID', `pack ${pack}: ${value} is no ${what}`);
}

/** First 8 bytes, in hexadecimal, of SHA-256 over the header with the check's own digits as zeros. */
function checkDigits(header: Buffer, checkAt: number): string {
  return createHash('sha256')
    .update(header.subarray(0, checkAt))
    .update('0'.repeat(CHECK_DIGITS))
    .update(header.subarray(checkAt + CHECK_DIGITS))
    .digest('hex')
    .slice(0, CHECK_DIGITS);
}

/** POSIX.1-2001 pax: `"%d %s=%s\n"`, the number counting the whole record with itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return `${length}${rest}`;
}

function writeUstar(block: Buffer, prefix: string, name: string, type: string, size: number, seconds: number): void {
  block.write(name, 0, 'latin1');
  block.write('0000640', 100, 'latin1');
  block.write('0000000', 108, 'latin1');
  block.write('0000000', 116, 'latin1');
  block.write(size.toString(8).padStart(11, '0'), 124, 'latin1');
  block.write(seconds.toString(8).padStart(11, '0'), 136, 'latin1');
  // The checksum counts its own field as eight spaces.
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(prefix, 345, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

/** The text of a field up to its first NUL. */
function fieldText(bytes: Buffer, at: number, length: number): string {
  const nul = bytes.indexOf(0, at);
  return bytes.toString('latin1', at, nul < 0 ? at + length : Math.min(nul, at + length));
}
