// The tombstone object `t/<seq>-<sha256>` (docs/format.md 5.2): what a delete says, sealed like a manifest, because it
// names instances. The name says its place in the order of arrivals and nothing of a patient.
import type { Random } from '../core/clock.js';
import type { PackId } from '../core/ids.js';
import type { Keyring } from './keyring.js';
import { tombstoneName } from './names.js';
import { openStatement, rewrapSealed, type SealedStatement, type StatementKind, sealStatement } from './statement.js';
import { parseTombstoneFields, tombstoneFields } from './tombstone-fields.js';
import type { Tombstone } from './types.js';

const KIND: StatementKind = {
  what: 'tombstone',
  magic: Buffer.from('FRTOMBS\0', 'latin1'),
  info: Buffer.from('tombstone1', 'latin1'),
  bytesMax: 512 * 1024,
  nameOf: tombstoneName,
};

/** @param options.id drawn for this object alone: its DEK is bound to it. */
export async function sealTombstone(options: {
  readonly tombstone: Tombstone;
  readonly id: PackId;
  readonly keyring: Keyring;
  readonly random: Random;
}): Promise<SealedStatement> {
  const { tombstone, ...rest } = options;
  return sealStatement(KIND, { ...rest, seq: tombstone.seq, fields: tombstoneFields(tombstone) });
}

/**
 * Opens one. CORRUPT, NOT_SUPPORTED and WRONG_KEY as a manifest; FOREIGN when it is of another archive than the keyring.
 */
export async function openTombstone(bytes: Uint8Array, keyring: Keyring): Promise<Tombstone> {
  return parseTombstoneFields(await openStatement(KIND, bytes, keyring));
}

/** The same delete under the keyring's current key, with the name that its new bytes have. Errors as `openTombstone`. */
export async function rewrapTombstone(bytes: Uint8Array, keyring: Keyring, random: Random): Promise<SealedStatement> {
  const { seq } = await openTombstone(bytes, keyring);
  return rewrapSealed(KIND, seq, bytes, keyring, random);
}
