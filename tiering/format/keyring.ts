// The keyring: the file that opens an archive, and its text form (docs/format.md 3.1). Each key's id
// follows from its secret, so that a damaged or mistyped keyring is noticed when it is read.
import type { Clock, Random } from '../core/clock.js';
import { ArchiveError, invariant } from '../core/errors.js';
import { derive, KEY_BYTES } from './aead.js';
import { arrayField, integerField, jsonRecord, recordOf, textField, UUID } from './fields.js';
import { AES_ALONE, type SuiteRule } from './suites.js';

/** A key that encrypts keys. */
export interface Kek {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

export interface Keyring {
  /** A random UUID: which archive this is. */
  readonly archiveId: string;
  /** Id of the key that wraps new DEKs; the others open old ones. */
  readonly current: string;
  readonly keys: readonly Kek[];
  /** Not part of the file: the configuration decides. */
  readonly suites: SuiteRule;
}

const KEYS_MAX = 1000;
const TEXT_BYTES_MAX = 1024 * 1024;
const KEK_ID = /^k[0-9a-f]{16}$/;
const ISO_DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z$/;
const SECRET = /^[A-Za-z0-9+/]{43}=$/;

/** The id of the key with this secret. */
export function kekIdOf(secret: Uint8Array): string {
  return `k${derive(secret, Buffer.alloc(0), Buffer.from('kek-id1', 'latin1'), 8).toString('hex')}`;
}

/** Draws a new key. */
export function generateKek(random: Random, clock: Pick<Clock, 'nowMs'>): Kek {
  const secret = Uint8Array.from(random.bytes(KEY_BYTES));
  return { id: kekIdOf(secret), createdAt: new Date(clock.nowMs()).toISOString(), secret };
}

/** A keyring with one new key; for a new archive unless `archiveId` names one. */
export function generateKeyring(options: {
  readonly random: Random;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly archiveId?: string;
}): Keyring {
  const kek = generateKek(options.random, options.clock);
  return {
    archiveId: options.archiveId ?? drawArchiveId(options.random),
    current: kek.id,
    keys: [kek],
    suites: AES_ALONE,
  };
}

/** A random UUID of version 4 (RFC 9562 5.4). */
export function drawArchiveId(random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The keyring with `kek` added and made current. */
export function withCurrentKek(keyring: Keyring, kek: Kek): Keyring {
  return { ...keyring, current: kek.id, keys: [...keyring.keys.filter(({ id }) => id !== kek.id), kek] };
}

/** The keyring without the key `id`, which is not the current one. */
export function withoutKek(keyring: Keyring, id: string): Keyring {
  invariant(id !== keyring.current, 'the current key stays in its keyring');
  return { ...keyring, keys: keyring.keys.filter((kek) => kek.id !== id) };
}

/** The text of a keyring file. */
export function serializeKeyring(keyring: Keyring): string {
  const { archiveId, current } = keyring;
  const keys = keyring.keys.map(({ id, createdAt, secret }) => ({
    id,
    createdAt,
    secret: Buffer.from(secret).toString('base64'),
  }));
  return `${JSON.stringify({ version: 1, archiveId, current, keys }, null, 2)}\n`;
}

/** Reads a keyring file; only AES-256-GCM is sealed and opened until `suites` is replaced. INVALID says which field is wrong, NOT_SUPPORTED that it is of a later version; no secret is ever quoted. */
export function parseKeyring(text: string): Keyring {
  const fields = jsonRecord(Buffer.from(text), 'keyring', TEXT_BYTES_MAX, 'INVALID');
  const version = integerField(fields, 'version', 'keyring', 1, 'INVALID');
  if (version !== 1) throw new ArchiveError('NOT_SUPPORTED', `keyring: version ${version}; this filmroom reads 1`);
  const keys = arrayField(fields, 'keys', 'keyring', KEYS_MAX, 'INVALID').map((item, at) => parseKek(item, at));
  const ids = new Set(keys.map(({ id }) => id));
  if (ids.size !== keys.length) throw new ArchiveError('INVALID', 'keyring: two keys have one id');
  const current = textField(fields, 'current', 'keyring', KEK_ID, 'INVALID');
  if (!ids.has(current)) throw new ArchiveError('INVALID', `keyring: its current key ${current} is not in it`);
  return { archiveId: textField(fields, 'archiveId', 'keyring', UUID, 'INVALID'), current, keys, suites: AES_ALONE };
}

function parseKek(item: unknown, at: number): Kek {
  const what = `keyring: keys[${at}]`;
  const fields = recordOf(item, what, 'INVALID');
  const id = textField(fields, 'id', what, KEK_ID, 'INVALID');
  const createdAt = textField(fields, 'createdAt', what, ISO_DATE, 'INVALID');
  const secret = Uint8Array.from(Buffer.from(textField(fields, 'secret', what, SECRET, 'INVALID'), 'base64'));
  if (kekIdOf(secret) !== id) {
    throw new ArchiveError('INVALID', `${what}: its secret is not the one of key ${id}; compare with another copy`);
  }
  return { id, createdAt, secret };
}

/** The key of that id. WRONG_KEY, naming it, when the keyring lacks it. */
export function kekById(keyring: Keyring, id: string): Kek {
  const kek = keyring.keys.find((key) => key.id === id);
  if (kek === undefined) {
    throw new ArchiveError('WRONG_KEY', `key ${id} is not in this keyring (archive ${keyring.archiveId})`);
  }
  return kek;
}

/** The key that wraps new DEKs. */
export function currentKek(keyring: Keyring): Kek {
  return kekById(keyring, keyring.current);
}
