// The tombstone object `t/<seq>-<sha256>` (docs/format.md 5.2): what a delete says, sealed like a manifest, because it
// names instances. The name says its place in the order of arrivals and nothing of a patient.
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Random } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import { type ObjectKey, type PackId, parseSha256 } from '../core/ids.js';
import { damagedEnvelope, type EnvelopeKind, openEnvelope, rewrapEnvelope, sealEnvelope } from './envelope.js';
import { integerField, jsonRecord, textField, UUID } from './fields.js';
import type { Keyring } from './keyring.js';
import { drawDek } from './keys.js';
import { tombstoneName } from './names.js';
import { parseTombstoneFields, tombstoneFields } from './tombstone-fields.js';
import type { Tombstone } from './types.js';

const BODY_VERSION = 1;
const JSON_BYTES_MAX = 256 * 1024;
const KIND: EnvelopeKind = {
  what: 'tombstone',
  magic: Buffer.from('FRTOMBS\0', 'latin1'),
  info: Buffer.from('tombstone1', 'latin1'),
  bytesMax: 512 * 1024,
};

/** @param options.id drawn for this object alone: its DEK is bound to it. */
export async function sealTombstone(options: {
  readonly tombstone: Tombstone;
  readonly id: PackId;
  readonly keyring: Keyring;
  readonly random: Random;
}): Promise<{ readonly name: ObjectKey; readonly object: Uint8Array }> {
  const { tombstone, id, keyring, random } = options;
  const { dek, ...seal } = await drawDek({ id, suite: keyring.suites.seal, keyring, random });
  const body = { version: BODY_VERSION, archive: keyring.archiveId, ...tombstoneFields(tombstone) };
  const plain = gzipSync(JSON.stringify(body), { level: 1 });
  const object = sealEnvelope(KIND, { id, seal, dek, plain, random });
  return { name: nameOf(tombstone.seq, object), object };
}

/**
 * Opens one. CORRUPT, NOT_SUPPORTED and WRONG_KEY as a manifest; FOREIGN when it is of another archive than the keyring.
 */
export async function openTombstone(bytes: Uint8Array, keyring: Keyring): Promise<Tombstone> {
  const { plain } = await openEnvelope(KIND, bytes, keyring);
  let json: Buffer;
  try {
    json = gunzipSync(plain, { maxOutputLength: JSON_BYTES_MAX });
  } catch {
    throw damagedEnvelope(KIND, 'its body does not inflate');
  }
  const fields = jsonRecord(json, 'tombstone', JSON_BYTES_MAX);
  const version = integerField(fields, 'version', 'tombstone', 1);
  if (version !== BODY_VERSION) {
    throw new ArchiveError('NOT_SUPPORTED', `a tombstone with a body of version ${version}; use a newer filmroom`);
  }
  const archive = textField(fields, 'archive', 'tombstone', UUID);
  if (archive !== keyring.archiveId) {
    throw new ArchiveError('FOREIGN', `a tombstone is of archive ${archive}, not ${keyring.archiveId}`);
  }
  return parseTombstoneFields(fields);
}

/** The same delete under the keyring's current key, with the name that its new bytes have. Errors as `openTombstone`. */
export async function rewrapTombstone(
  bytes: Uint8Array,
  keyring: Keyring,
  random: Random,
): Promise<{ readonly name: ObjectKey; readonly object: Uint8Array }> {
  const { seq } = await openTombstone(bytes, keyring);
  const object = await rewrapEnvelope(KIND, bytes, keyring, random);
  return { name: nameOf(seq, object), object };
}

function nameOf(seq: number, object: Uint8Array): ObjectKey {
  return tombstoneName(seq, parseSha256(createHash('sha256').update(object).digest('hex')));
}
