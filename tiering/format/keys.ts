// Data keys: what is drawn once for each pack (its seal), and how its DEK is wrapped under a KEK
// (docs/format.md 3.2). A key problem is WRONG_KEY, never CORRUPT, so that it never starts a repair.
import type { Random } from '../core/clock.js';
import { ArchiveError, invariant } from '../core/errors.js';
import type { PackId } from '../core/ids.js';
import { KEY_BYTES } from './aead.js';
import { CHUNK_SALT_BYTES, chunkCommitment, chunkSizes } from './chunk.js';
import type { Kek } from './kek.js';
import { currentKek, type Keyring, kekById } from './keyring.js';
import { packIdBytes } from './pack-id.js';
import { NONCE_BYTES, openMessage, requireAllowed, sealMessage, suiteOf, TAG_BYTES } from './suites.js';
import type { DekWrap, PackSeal } from './types.js';

export const DEK_ID_BYTES = 16;
export const WRAP_SALT_BYTES = 32;
export const WRAPPED_DEK_BYTES = KEY_BYTES + TAG_BYTES;

const INFO = Buffer.from('wrap1', 'latin1');
/** The wrapping key is used once, so its nonce may be fixed. */
const NONCE = Buffer.alloc(NONCE_BYTES);
const NO_AAD = Buffer.alloc(0);

/** Wraps a pack's DEK under the keyring's current key with a fresh salt. UNAVAILABLE and WRONG_KEY as KeyProvider. */
export async function wrapDek(options: {
  readonly pack: PackId;
  readonly suite: number;
  readonly dek: Uint8Array;
  readonly dekId: Uint8Array;
  readonly keyring: Keyring;
  readonly random: Random;
}): Promise<DekWrap> {
  const { pack, suite, dek, dekId, keyring, random } = options;
  invariant(dek.length === KEY_BYTES && dekId.length === DEK_ID_BYTES, 'a DEK has 32 bytes and its id 16');
  const wrapSalt = draw(random, WRAP_SALT_BYTES);
  const kek = currentKek(keyring);
  const key = await wrappingKey(keyring, kek, wrapSalt, { pack, suite, dekId });
  const wrappedDek = sealMessage(suiteOf(suite), { key, nonce: NONCE, aad: NO_AAD, plain: dek });
  return { kekId: kek.id, wrapSalt, wrappedDek: Uint8Array.from(wrappedDek) };
}

/**
 * The DEK of a pack. SUITE_REFUSED when the archive does not open its suite; WRONG_KEY when the keyring lacks the KEK (named) or its KEK
 * does not open the wrap; UNAVAILABLE when who holds the KEK does not answer.
 */
export async function unwrapDek(
  seal: DekWrap & Pick<PackSeal, 'dekId' | 'suite'>,
  pack: PackId,
  keyring: Keyring,
): Promise<Uint8Array> {
  requireAllowed(keyring.suites, seal.suite);
  const kek = kekById(keyring, seal.kekId);
  const { suite, dekId, wrapSalt, wrappedDek } = seal;
  const key = await wrappingKey(keyring, kek, wrapSalt, { pack, suite, dekId });
  const dek = openMessage(suiteOf(suite), { key, nonce: NONCE, aad: NO_AAD, sealed: wrappedDek });
  if (dek === undefined || dek.length !== KEY_BYTES) {
    throw new ArchiveError('WRONG_KEY', `key ${seal.kekId} of this keyring does not open pack ${pack}`);
  }
  return Uint8Array.from(dek);
}

/** Draws a DEK and wraps it: of a pack, or of one object that has an id of its own. INTERNAL when the random source repeats itself. */
export async function drawDek(options: {
  readonly id: PackId;
  /** A cipher suite's id. */
  readonly suite: number;
  readonly keyring: Keyring;
  readonly random: Random;
}): Promise<DekWrap & { readonly suite: number; readonly dekId: Uint8Array; readonly dek: Uint8Array }> {
  const { id, suite, keyring, random } = options;
  const dek = draw(random, KEY_BYTES);
  const dekId = draw(random, DEK_ID_BYTES);
  const wrap = await wrapDek({ pack: id, suite, dek, dekId, keyring, random });
  requireDistinct([dek, dekId, wrap.wrapSalt], id);
  return { suite, dekId, dek, ...wrap };
}

/**
 * Draws everything that sealing the pack needs: its DEK, wrapped, and a salt and commitment for each of its chunks. To be
 * committed durably before the first PUT. Throws INTERNAL when the random source repeats itself.
 */
export async function drawSeal(options: {
  readonly pack: PackId;
  /** Bytes of the pack. */
  readonly bytes: number;
  /** A cipher suite's id. */
  readonly suite: number;
  readonly keyring: Keyring;
  readonly random: Random;
}): Promise<{ readonly seal: PackSeal; readonly dek: Uint8Array }> {
  const { pack, bytes, keyring, random } = options;
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw new ArchiveError('INVALID', `pack ${pack} has ${bytes} bytes`);
  const { suite, dekId, dek, ...wrap } = await drawDek({ id: pack, suite: options.suite, keyring, random });
  const sizes = chunkSizes(bytes);
  const salts = sizes.map(() => draw(random, CHUNK_SALT_BYTES));
  requireDistinct([dek, dekId, wrap.wrapSalt, ...salts], pack);
  const chunks = sizes.map((chunkBytes, chunk) => {
    const salt = salts[chunk];
    invariant(salt !== undefined, 'every chunk has a salt');
    const commitment = Uint8Array.from(chunkCommitment({ pack, chunk, suite, dek, dekId, salt, chunkBytes }));
    return { bytes: chunkBytes, salt, commitment, name: null };
  });
  return { seal: { suite, ...wrap, dekId, chunks }, dek };
}

async function wrappingKey(
  keyring: Keyring,
  kek: Kek,
  wrapSalt: Uint8Array,
  { pack, suite, dekId }: { readonly pack: PackId; readonly suite: number; readonly dekId: Uint8Array },
): Promise<Buffer> {
  const cipher = suiteOf(suite);
  const input = await keyring.provider.wrapInput(kek, wrapSalt);
  return cipher.derive(input, wrapSalt, Buffer.concat([INFO, packIdBytes(pack), dekId]), cipher.keyBytes);
}

/** A copy of its own: what a random source hands out may be part of its pool. */
function draw(random: Random, bytes: number): Uint8Array {
  const drawn = Uint8Array.from(random.bytes(bytes));
  invariant(drawn.length === bytes, 'the random source gives as much as it is asked for');
  return drawn;
}

/** Fault 44: a random source that gives one value twice must not make keys. First 16 bytes are compared, since lengths differ. */
function requireDistinct(values: readonly Uint8Array[], pack: PackId): void {
  const seen = new Set(values.map((value) => Buffer.from(value.subarray(0, DEK_ID_BYTES)).toString('latin1')));
  if (seen.size !== values.length) {
    throw new ArchiveError('INTERNAL', `pack ${pack}: the random source repeated itself; nothing was sealed`);
  }
}
