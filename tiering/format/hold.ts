// The hold object `h/<seq>-<sha256>` (docs/format.md 5.3) and its fields, the same in the note of a tray: that a study is under legal hold,
// or is not any more. Of several for one study the one with the highest seq counts.
import type { Random } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import { type PackId, parseStudyUid } from '../core/ids.js';
import { HOLD_REASON_BYTES_MAX } from '../core/limits.js';
import { integerField, type JsonRecord, textField } from './fields.js';
import type { Keyring } from './keyring.js';
import { holdName } from './names.js';
import { openStatement, rewrapSealed, type SealedStatement, type StatementKind, sealStatement } from './statement.js';
import type { HoldStatement } from './types.js';

const KIND: StatementKind = {
  what: 'hold',
  magic: Buffer.from('FRHOLDS\0', 'latin1'),
  info: Buffer.from('hold1', 'latin1'),
  bytesMax: 16 * 1024,
  nameOf: holdName,
};
const SEQ_MAX = 1e15 - 1;
const ANY = /^/;

/** @param options.id drawn for this object alone: its DEK is bound to it. */
export async function sealHold(options: {
  readonly statement: HoldStatement;
  readonly id: PackId;
  readonly keyring: Keyring;
  readonly random: Random;
}): Promise<SealedStatement> {
  const { statement, ...rest } = options;
  return sealStatement(KIND, { ...rest, seq: statement.seq, fields: holdFields(statement) });
}

/** CORRUPT, NOT_SUPPORTED and WRONG_KEY as a manifest; FOREIGN when it is of another archive than the keyring. */
export async function openHold(bytes: Uint8Array, keyring: Keyring): Promise<HoldStatement> {
  return parseHoldFields(await openStatement(KIND, bytes, keyring));
}

/** The same under the keyring's current key, with the name that its new bytes have. Errors as `openHold`. */
export async function rewrapHold(bytes: Uint8Array, keyring: Keyring, random: Random): Promise<SealedStatement> {
  const { seq } = await openHold(bytes, keyring);
  return rewrapSealed(KIND, seq, bytes, keyring, random);
}

/** As JSON, in the order of the format. LIMIT when the reason is too long. */
export function holdFields({ seq, hold }: HoldStatement): object {
  const { study, held, atMs, reason } = hold;
  if (Buffer.byteLength(reason) > HOLD_REASON_BYTES_MAX) {
    throw new ArchiveError('LIMIT', `the reason of a hold has at most ${HOLD_REASON_BYTES_MAX} bytes`);
  }
  return { seq, study, held: held ? 1 : 0, at: atMs, reason };
}

/** CORRUPT when the fields are not those of one; nothing of them is quoted. */
export function parseHoldFields(fields: JsonRecord): HoldStatement {
  const seq = integerField(fields, 'seq', 'hold', 1);
  const held = integerField(fields, 'held', 'hold', 0);
  const reason = textField(fields, 'reason', 'hold', ANY);
  if (seq > SEQ_MAX || held > 1 || Buffer.byteLength(reason) > HOLD_REASON_BYTES_MAX) {
    throw new ArchiveError('CORRUPT', 'a hold that does not say what one may say');
  }
  try {
    const study = parseStudyUid(textField(fields, 'study', 'hold', ANY));
    return { seq, hold: { study, held: held === 1, atMs: integerField(fields, 'at', 'hold', 0), reason } };
  } catch (cause) {
    throw new ArchiveError('CORRUPT', 'a hold that names no study', { cause });
  }
}
