// The keyring: the file that opens an archive, and its text form (docs/format.md 3.1). Each key's id
// follows from its secret, so that a damaged or mistyped keyring is noticed when it is read.
import type { Clock, Random } from '../core/clock.js';
import { ArchiveError, invariant } from '../core/errors.js';
import { arrayField, integerField, jsonRecord, recordOf, textField, UUID } from './fields.js';
import { generateKek, KEK_ID, KEYRING_ALONE, type Kek, type KeyProvider, kekIdOf } from './kek.js';
import { AES_ALONE, type SuiteRule } from './suites.js';

/** What is in the file. */
export interface StoredKeyring {
  /** A random UUID: which archive this is. */
  readonly archiveId: string;
  /** Id of the key that wraps new DEKs; the others open old ones. */
  readonly current: string;
  readonly keys: readonly Kek[];
}

export interface Keyring extends StoredKeyring {
  /** Decided by the configuration. */
  readonly suites: SuiteRule;
  /** Where the secrets are that the file lacks, and where new ones go. */
  readonly provider: KeyProvider;
}

const KEYS_MAX = 1000;
const TEXT_BYTES_MAX = 1024 * 1024;
const ISO_DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z$/;
const SECRET = /^[A-Za-z0-9+/]{43}=$/;

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
    provider: KEYRING_ALONE,
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
export function serializeKeyring(keyring: StoredKeyring): string {
  const { archiveId, current } = keyring;
  const keys = keyring.keys.map(({ id, createdAt, secret }) => ({
    id,
    createdAt,
    ...(secret === null ? {} : { secret: Buffer.from(secret).toString('base64') }),
  }));
  const version = keyring.keys.some(needsVersion2) ? 2 : 1;
  return `${JSON.stringify({ version, archiveId, current, keys }, null, 2)}\n`;
}

/** Keys that a reader of version 1 does not know. */
function needsVersion2({ id, secret }: Kek): boolean {
  return secret === null || !id.startsWith('k');
}

/** Reads a keyring file; only AES-256-GCM is sealed and opened until `suites` is replaced. INVALID says which field is wrong, NOT_SUPPORTED that it is of a later version; no secret is ever quoted. */
export function parseKeyring(text: string): Keyring {
  const fields = jsonRecord(Buffer.from(text), 'keyring', TEXT_BYTES_MAX, 'INVALID');
  const version = integerField(fields, 'version', 'keyring', 1, 'INVALID');
  if (version > 2) throw new ArchiveError('NOT_SUPPORTED', `keyring: version ${version}; this filmroom reads 1 and 2`);
  const keys = arrayField(fields, 'keys', 'keyring', KEYS_MAX, 'INVALID').map((item, at) => parseKek(item, at));
  if (version === 1 && keys.some(needsVersion2)) {
    throw new ArchiveError('INVALID', 'keyring: version 1 has no keys of tokens; compare with another copy');
  }
  const ids = new Set(keys.map(({ id }) => id));
  if (ids.size !== keys.length) throw new ArchiveError('INVALID', 'keyring: two keys have one id');
  const current = textField(fields, 'current', 'keyring', KEK_ID, 'INVALID');
  if (!ids.has(current)) throw new ArchiveError('INVALID', `keyring: its current key ${current} is not in it`);
  const archiveId = textField(fields, 'archiveId', 'keyring', UUID, 'INVALID');
  return { archiveId, current, keys, suites: AES_ALONE, provider: KEYRING_ALONE };
}

function parseKek(item: unknown, at: number): Kek {
  const what = `keyring: keys[${at}]`;
  const fields = recordOf(item, what, 'INVALID');
  const id = textField(fields, 'id', what, KEK_ID, 'INVALID');
  const createdAt = textField(fields, 'createdAt', what, ISO_DATE, 'INVALID');
  const kind = id.startsWith('h') ? 'h' : 'k';
  if (kind === 'h' && !fields.has('secret')) return { id, createdAt, secret: null };
  const secret = Uint8Array.from(Buffer.from(textField(fields, 'secret', what, SECRET, 'INVALID'), 'base64'));
  if (kekIdOf(secret, kind) !== id) {
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
