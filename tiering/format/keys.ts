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
import type { DekWrap, PackSeal, SealedChunk } from './types.js';

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
  const { pack, bytes } = options;
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw new ArchiveError('INVALID', `pack ${pack} has ${bytes} bytes`);
  const draft = await SealDraft.draw(options);
  const chunks = chunkSizes(bytes).map((chunkBytes, chunk) => draft.chunk(chunk, chunkBytes));
  return { seal: draft.seal(chunks), dek: draft.dek };
}

/** The seal of a pack whose length is not known yet: its DEK now, each chunk's salt when its bytes are there. */
export class SealDraft {
  readonly dek: Uint8Array;
  readonly #pack: PackId;
  readonly #random: Random;
  readonly #head: Omit<PackSeal, 'chunks'>;
  /** Of everything that was drawn, the beginning. */
  readonly #drawn = new Set<string>();

  private constructor(pack: PackId, random: Random, dek: Uint8Array, head: Omit<PackSeal, 'chunks'>) {
    this.#pack = pack;
    this.#random = random;
    this.#head = head;
    this.dek = dek;
    for (const value of [dek, head.dekId, head.wrapSalt]) this.#drawn.add(beginning(value));
  }

  /** Errors as drawDek. */
  static async draw(options: {
    readonly pack: PackId;
    /** A cipher suite's id. */
    readonly suite: number;
    readonly keyring: Keyring;
    readonly random: Random;
  }): Promise<SealDraft> {
    const { pack, random } = options;
    const { dek, ...head } = await drawDek({ ...options, id: pack });
    return new SealDraft(pack, random, dek, head);
  }

  get suite(): number {
    return this.#head.suite;
  }

  get dekId(): Uint8Array {
    return this.#head.dekId;
  }

  /** Salt and commitment of a chunk of `bytes` bytes; once for each. INTERNAL when the random source repeats itself. */
  chunk(chunk: number, bytes: number): SealedChunk {
    const salt = draw(this.#random, CHUNK_SALT_BYTES);
    const before = this.#drawn.size;
    this.#drawn.add(beginning(salt));
    if (this.#drawn.size === before) throw repeated(this.#pack);
    const { suite, dekId } = this.#head;
    const named = { pack: this.#pack, chunk, suite, dek: this.dek, dekId, salt, chunkBytes: bytes };
    return { bytes, salt, commitment: Uint8Array.from(chunkCommitment(named)), name: null };
  }

  /** @param chunks all of them, in order. */
  seal(chunks: readonly SealedChunk[]): PackSeal {
    return { ...this.#head, chunks };
  }
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

/** Fault 44: a random source that gives one value twice must not make keys. */
function requireDistinct(values: readonly Uint8Array[], pack: PackId): void {
  if (new Set(values.map(beginning)).size !== values.length) throw repeated(pack);
}

/** What is compared: lengths differ. */
function beginning(value: Uint8Array): string {
  return Buffer.from(value.subarray(0, DEK_ID_BYTES)).toString('latin1');
}

function repeated(pack: PackId): ArchiveError {
  return new ArchiveError('INTERNAL', `pack ${pack}: the random source repeated itself; nothing was sealed`);
}
