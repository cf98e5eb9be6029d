// Signed reports (docs/format.md 3.5): what the archive states of itself (a drill, a failback), as canonical JSON with an Ed25519 signature
// (RFC 8032). The signing key follows from the keyring's current key and a salt, so that there is no other secret to keep: anybody can
// verify the signature by the public key in the file, and who has the keyring can verify that this key is the archive's own.
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Random } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import { derive, KEY_BYTES } from './aead.js';
import { integerField, jsonRecord, textField, UUID } from './fields.js';
import { KEK_ID } from './kek.js';
import { type Keyring, kekById } from './keyring.js';

export const REPORT_BYTES_MAX = 64 * 1024 * 1024;

const FORMAT = 'filmroom-report';
const VERSION = 1;
const SALT_BYTES = 32;
/** Separates the key of a report from all that wraps. */
const INFO = Buffer.from('report-key1', 'latin1');
/** PKCS #8 of an Ed25519 seed (RFC 8410 7): this, then the 32 bytes. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
export const REPORT_KIND = /^[a-z][a-z0-9-]{0,31}$/;
const PEM = /^-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END PUBLIC KEY-----\n$/;

/** What was signed. */
export interface ReportBody {
  readonly archive: string;
  readonly kind: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** As its kind has it. */
  readonly report: unknown;
}

/** A report that was read: its signature is of its body. Whether the key is the archive's own is `requireOwnKey`. */
export interface SignedReport extends ReportBody {
  /** Id of the keyring's key that the signing key follows from. */
  readonly key: string;
  readonly salt: Uint8Array;
  /** PEM. */
  readonly publicKey: string;
}

/** The text of a report's file, signed under the keyring's current key. UNAVAILABLE and WRONG_KEY as KeyProvider; INVALID for what JSON cannot say. */
export async function signReport(
  content: Pick<ReportBody, 'kind' | 'atMs' | 'report'>,
  keyring: Keyring,
  random: Random,
): Promise<string> {
  const { kind, atMs, report } = content;
  const { archiveId: archive, current: key } = keyring;
  const salt = Uint8Array.from(random.bytes(SALT_BYTES));
  const pair = await keysOf(keyring, key, salt);
  const body = canonicalJson({ archive, key, kind, atMs, report });
  const file = {
    format: FORMAT,
    version: VERSION,
    archive,
    key,
    salt: Buffer.from(salt).toString('base64'),
    publicKey: pemOf(pair.publicKey),
    body,
    signature: sign(null, Buffer.from(body), pair.privateKey).toString('base64'),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Reads the file of a report and verifies its signature. CORRUPT when it is no report, or one that was changed; NOT_SUPPORTED for a later version. */
export function readReport(bytes: Uint8Array): SignedReport {
  const what = 'report';
  const fields = jsonRecord(bytes, what, REPORT_BYTES_MAX);
  if (fields.get('format') !== FORMAT) throw new ArchiveError('CORRUPT', 'report: this is no report of Filmroom');
  const version = integerField(fields, 'version', what, 1);
  if (version !== VERSION) {
    throw new ArchiveError('NOT_SUPPORTED', `report: version ${version}; this filmroom reads ${VERSION}`);
  }
  const archive = textField(fields, 'archive', what, UUID);
  const key = textField(fields, 'key', what, KEK_ID);
  const salt = Buffer.from(textField(fields, 'salt', what, BASE64), 'base64');
  const publicKey = textField(fields, 'publicKey', what, PEM);
  const body = textField(fields, 'body', what, /^\{/);
  const signature = Buffer.from(textField(fields, 'signature', what, BASE64), 'base64');
  if (!isSigned(body, signature, publicKey)) {
    throw new ArchiveError(
      'CORRUPT',
      'report: its signature is not of what it says; it was changed after it was signed',
    );
  }
  const inside = jsonRecord(Buffer.from(body), what, REPORT_BYTES_MAX);
  if (inside.get('archive') !== archive || inside.get('key') !== key) {
    throw new ArchiveError('CORRUPT', 'report: the archive or key that it names is not the one that was signed');
  }
  return {
    archive,
    key,
    salt,
    publicKey,
    kind: textField(inside, 'kind', what, REPORT_KIND),
    atMs: integerField(inside, 'atMs', what, 0),
    report: inside.get('report'),
  };
}

/**
 * Verifies that the archive of the keyring signed the report: FOREIGN when it is another archive's; WRONG_KEY when the keyring lacks the
 * key that it names; CORRUPT when somebody else signed it; UNAVAILABLE when who holds the key does not answer.
 */
export async function requireOwnKey(report: SignedReport, keyring: Keyring): Promise<void> {
  if (report.archive !== keyring.archiveId) {
    throw new ArchiveError(
      'FOREIGN',
      `the report is of archive ${report.archive}, the keyring of ${keyring.archiveId}`,
    );
  }
  const { publicKey } = await keysOf(keyring, report.key, report.salt);
  if (pemOf(publicKey) !== report.publicKey) {
    throw new ArchiveError(
      'CORRUPT',
      `report: it was not signed under key ${report.key} of this archive; somebody without the keyring made it`,
    );
  }
}

/**
 * JSON with one text for one value: no spaces, keys in the order of their UTF-16 units, as RFC 8785. Members that are undefined are left
 * out. INVALID for what JSON cannot say, and for half a surrogate, which UTF-8 cannot.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, member]) => `${canonicalJson(name)}:${canonicalJson(member)}`).join(',')}}`;
  }
  const sayable =
    value === null ||
    typeof value === 'boolean' ||
    (typeof value === 'number' && Number.isFinite(value)) ||
    (typeof value === 'string' && Buffer.from(value).toString() === value);
  if (!sayable) throw new ArchiveError('INVALID', 'report: it holds something that JSON cannot say');
  return JSON.stringify(value);
}

async function keysOf(
  keyring: Keyring,
  key: string,
  salt: Uint8Array,
): Promise<{ readonly privateKey: KeyObject; readonly publicKey: KeyObject }> {
  const kek = kekById(keyring, key);
  const input = await keyring.provider.wrapInput(kek, salt);
  const seed = derive(input, salt, INFO, KEY_BYTES);
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function pemOf(publicKey: KeyObject): string {
  return publicKey.export({ format: 'pem', type: 'spki' }).toString();
}

function isSigned(body: string, signature: Uint8Array, pem: string): boolean {
  try {
    const publicKey = createPublicKey(pem);
    return publicKey.asymmetricKeyType === 'ed25519' && verify(null, Buffer.from(body), publicKey, signature);
  } catch {
    return false;
  }
}
