// Statements: small sealed objects that replicas hold beside packs, a tombstone (docs/format.md 5.2) or a hold (5.3). Each is one JSON
// object, sealed like a manifest with a DEK of its own, so that the keyring alone opens it.
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Random } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import { type ObjectKey, type PackId, parseSha256, type Sha256 } from '../core/ids.js';
import { damagedEnvelope, type EnvelopeKind, openEnvelope, rewrapEnvelope, sealEnvelope } from './envelope.js';
import { integerField, type JsonRecord, jsonRecord, textField, UUID } from './fields.js';
import type { Keyring } from './keyring.js';
import { drawDek } from './keys.js';

const BODY_VERSION = 1;
const JSON_BYTES_MAX = 256 * 1024;

/** One kind of them: its envelope, and the name of an object of `seq` with that SHA-256. */
export interface StatementKind extends EnvelopeKind {
  readonly nameOf: (seq: number, sha256: Sha256) => ObjectKey;
}

export interface SealedStatement {
  readonly name: ObjectKey;
  readonly object: Uint8Array;
}

/** @param options.id drawn for this object alone: its DEK is bound to it. */
export async function sealStatement(
  kind: StatementKind,
  options: {
    readonly seq: number;
    readonly fields: object;
    readonly id: PackId;
    readonly keyring: Keyring;
    readonly random: Random;
  },
): Promise<SealedStatement> {
  const { seq, fields, id, keyring, random } = options;
  const { dek, ...seal } = await drawDek({ id, suite: keyring.suites.seal, keyring, random });
  const body = { version: BODY_VERSION, archive: keyring.archiveId, ...fields };
  const plain = gzipSync(JSON.stringify(body), { level: 1 });
  return named(kind, seq, sealEnvelope(kind, { id, seal, dek, plain, random }));
}

/** The fields of one. CORRUPT, NOT_SUPPORTED and WRONG_KEY as a manifest; FOREIGN when it is of another archive than the keyring. */
export async function openStatement(kind: StatementKind, bytes: Uint8Array, keyring: Keyring): Promise<JsonRecord> {
  const { plain } = await openEnvelope(kind, bytes, keyring);
  let json: Buffer;
  try {
    json = gunzipSync(plain, { maxOutputLength: JSON_BYTES_MAX });
  } catch {
    throw damagedEnvelope(kind, 'its body does not inflate');
  }
  const fields = jsonRecord(json, kind.what, JSON_BYTES_MAX);
  const version = integerField(fields, 'version', kind.what, 1);
  if (version !== BODY_VERSION) {
    throw new ArchiveError('NOT_SUPPORTED', `a ${kind.what} with a body of version ${version}; use a newer filmroom`);
  }
  const archive = textField(fields, 'archive', kind.what, UUID);
  if (archive !== keyring.archiveId) {
    throw new ArchiveError('FOREIGN', `a ${kind.what} is of archive ${archive}, not ${keyring.archiveId}`);
  }
  return fields;
}

/** The same under the keyring's current key, with the name that its new bytes have. */
export async function rewrapSealed(
  kind: StatementKind,
  seq: number,
  bytes: Uint8Array,
  keyring: Keyring,
  random: Random,
): Promise<SealedStatement> {
  return named(kind, seq, await rewrapEnvelope(kind, bytes, keyring, random));
}

function named(kind: StatementKind, seq: number, object: Uint8Array): SealedStatement {
  return { name: kind.nameOf(seq, parseSha256(createHash('sha256').update(object).digest('hex'))), object };
}
