// A keyring in shares (docs/format.md 3.4): N texts to be printed and kept by N people, of which any M give the keyring back and
// fewer say nothing of it. A line that was copied wrongly is named, and shares that do not belong together are refused.
import { createHash } from 'node:crypto';
import { combine, split } from 'shamir-secret-sharing';
import type { Random } from '../core/clock.js';
import { ArchiveError, invariant } from '../core/errors.js';
import { KEY_BYTES } from './aead.js';
import { kekIdOf } from './kek.js';
import { type Keyring, parseKeyring, serializeKeyring } from './keyring.js';

const SHARES_MAX = 255;
const TITLE = 'FILMROOM KEYRING SHARE 1';
const LINE_BYTES = 16;
const SPLIT_ID_BYTES = 8;
const ARCHIVE_ID_BYTES = 16;
const DIGEST_BYTES = 32;
/** Archive id, number of the current key, then the keys, then SHA-256 of it all: a wrong share gives a wrong result, silently. */
const HEAD_BYTES = ARCHIVE_ID_BYTES + 2;
const KEY_ROW_BYTES = 8 + KEY_BYTES;
/** Of a keyring of a thousand keys, and more than any typed one. */
const TEXT_CHARS_MAX = 512 * 1024;

/** @returns the text of each share. INVALID unless 2 <= threshold <= shares <= 255; NOT_SUPPORTED for a keyring with keys of a token. */
export async function splitKeyring(
  keyring: Keyring,
  { shares, threshold, random }: { readonly shares: number; readonly threshold: number; readonly random: Random },
): Promise<readonly string[]> {
  const fits = Number.isInteger(shares) && Number.isInteger(threshold) && threshold >= 2 && threshold <= shares;
  if (!fits || shares > SHARES_MAX) {
    throw new ArchiveError('INVALID', `shares and threshold must be 2 <= threshold <= shares <= ${SHARES_MAX}`);
  }
  const secret = encode(keyring);
  const parts = await split(new Uint8Array(secret), shares, threshold);
  secret.fill(0);
  const splitId = Buffer.from(random.bytes(SPLIT_ID_BYTES)).toString('hex');
  return parts.map((part, at) => shareText(keyring, part, { number: at + 1, shares, threshold, splitId }));
}

/** The keyring of at least as many shares as its threshold says. INVALID says which share or line is wrong, or what is lacking. */
export async function joinKeyring(texts: readonly string[]): Promise<Keyring> {
  const shares = texts.map(parseShare);
  const [first] = shares;
  if (first === undefined) throw new ArchiveError('INVALID', 'no share was given');
  for (const [at, { splitId, data }] of shares.entries()) {
    if (splitId !== first.splitId || data.length !== first.data.length) {
      throw new ArchiveError('INVALID', `share ${at + 1} is of split ${splitId}, share 1 of split ${first.splitId}`);
    }
  }
  const distinct = new Map(shares.map((share) => [share.data.at(-1), share]));
  if (distinct.size < first.threshold) {
    throw new ArchiveError('INVALID', `${distinct.size} different shares were given; ${first.threshold} are needed`);
  }
  const parts = [...distinct.values()].slice(0, first.threshold).map(({ data }) => new Uint8Array(data));
  return decode(Buffer.from(await combine(parts)));
}

interface ShareHead {
  readonly number: number;
  readonly shares: number;
  readonly threshold: number;
  readonly splitId: string;
}

function shareText({ archiveId, current, keys }: Keyring, part: Uint8Array, head: ShareHead): string {
  const { number, shares, threshold, splitId } = head;
  const lines: string[] = [];
  for (let at = 0; at < part.length; at += LINE_BYTES) lines.push(dataLine(splitId, lines.length + 1, part, at));
  return [
    TITLE,
    '',
    `This is share ${number} of ${shares} of the keyring that opens a Filmroom archive of medical images. Any`,
    `${threshold} of the ${shares} shares give the keyring back; fewer give nothing. Keep it secret, away from the`,
    'other shares and from the machine. To put the keyring together again:',
    '',
    `  filmroom keys import --out keyring.json ${Array.from({ length: threshold }, (_, at) => `SHARE${at + 1}`).join(' ')}`,
    '',
    `Archive:   ${archiveId}`,
    `Keys:      ${keys.length}, the current one is ${current}`,
    `Split:     ${splitId}`,
    `Threshold: ${threshold}`,
    '',
    'Each line: its number, 16 bytes, and a checksum. Upper or lower case and spaces do not matter.',
    '',
    ...lines,
    '',
    `Checksum:  ${checkOf(splitId, threshold, part)}`,
    '',
  ].join('\n');
}

function dataLine(splitId: string, number: number, part: Uint8Array, at: number): string {
  const bytes = Buffer.from(part.subarray(at, at + LINE_BYTES));
  const groups = bytes.toString('hex').match(/.{1,4}/g) ?? [];
  return `${String(number).padStart(3, '0')}: ${groups.join(' ')} = ${lineCheck(splitId, number, bytes)}`;
}

function lineCheck(splitId: string, number: number, bytes: Uint8Array): string {
  return createHash('sha256').update(`${splitId} ${number} `).update(bytes).digest('hex').slice(0, 4);
}

function checkOf(splitId: string, threshold: number, part: Uint8Array): string {
  return createHash('sha256').update(`${splitId} ${threshold} `).update(part).digest('hex').slice(0, 16);
}

function parseShare(text: string, at: number): { threshold: number; splitId: string; data: Buffer } {
  const wrong = (what: string) => new ArchiveError('INVALID', `share ${at + 1}: ${what}`);
  if (text.length > TEXT_CHARS_MAX || !text.includes(TITLE)) throw wrong(`not a share ("${TITLE}" is not in it)`);
  const lower = text.toLowerCase();
  const splitId = /^\s*split:\s*([0-9a-f]{16})\s*$/m.exec(lower)?.[1];
  const threshold = Number(/^\s*threshold:\s*(\d{1,3})\s*$/m.exec(lower)?.[1] ?? 0);
  const check = /^\s*checksum:\s*([0-9a-f]{16})\s*$/m.exec(lower)?.[1];
  if (splitId === undefined || check === undefined || threshold < 2)
    throw wrong('its Split, Threshold or Checksum is missing');
  const pieces: Buffer[] = [];
  for (const match of lower.matchAll(/^\s*(\d{3,5}):([0-9a-f \t]+)=\s*([0-9a-f]{4})\s*$/gm)) {
    const [, number = '', digits = '', lineSum = ''] = match;
    const bytes = Buffer.from(digits.replace(/\s/g, ''), 'hex');
    if (Number(number) !== pieces.length + 1) throw wrong(`line ${pieces.length + 1} is missing, or cannot be read`);
    if (lineCheck(splitId, Number(number), bytes) !== lineSum) throw wrong(`line ${Number(number)} was copied wrongly`);
    pieces.push(bytes);
  }
  const data = Buffer.concat(pieces);
  if (data.length < 2 || checkOf(splitId, threshold, data) !== check) {
    throw wrong('its lines do not match its checksum: one is missing at the end, or the checksum was copied wrongly');
  }
  return { threshold, splitId, data };
}

function encode({ archiveId, current, keys }: Keyring): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + keys.length * KEY_ROW_BYTES + DIGEST_BYTES);
  bytes.write(archiveId.replaceAll('-', ''), 'hex');
  bytes.writeUInt16BE(
    keys.findIndex(({ id }) => id === current),
    ARCHIVE_ID_BYTES,
  );
  for (const [at, { id, createdAt, secret }] of keys.entries()) {
    const row = HEAD_BYTES + at * KEY_ROW_BYTES;
    bytes.writeBigUInt64BE(BigInt(Date.parse(createdAt)), row);
    if (secret === null || !id.startsWith('k')) {
      throw new ArchiveError('NOT_SUPPORTED', `key ${id} belongs to a token: its own backup takes the place of shares`);
    }
    bytes.set(secret, row + 8);
  }
  const end = bytes.length - DIGEST_BYTES;
  bytes.set(createHash('sha256').update(bytes.subarray(0, end)).digest(), end);
  return bytes;
}

/** Through the text of a keyring, so that what comes back obeys every rule of one. */
function decode(bytes: Buffer): Keyring {
  const end = bytes.length - DIGEST_BYTES;
  const whole = end > HEAD_BYTES && (end - HEAD_BYTES) % KEY_ROW_BYTES === 0;
  if (!whole || !createHash('sha256').update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end))) {
    throw new ArchiveError(
      'INVALID',
      'these shares do not give a keyring: they are too few, or one is not what it says',
    );
  }
  const id = bytes.toString('hex', 0, ARCHIVE_ID_BYTES);
  const keys = Array.from({ length: (end - HEAD_BYTES) / KEY_ROW_BYTES }, (_, at) => {
    const row = HEAD_BYTES + at * KEY_ROW_BYTES;
    const secret = Uint8Array.from(bytes.subarray(row + 8, row + KEY_ROW_BYTES));
    return { id: kekIdOf(secret), createdAt: new Date(Number(bytes.readBigUInt64BE(row))).toISOString(), secret };
  });
  const current = keys[bytes.readUInt16BE(ARCHIVE_ID_BYTES)];
  invariant(current !== undefined, 'a keyring that was split has a current key');
  const archiveId = `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
  return parseKeyring(serializeKeyring({ archiveId, current: current.id, keys }));
}
