// Pack ids: UUIDs of version 7 (RFC 9562 5.7), made so that each is greater than the one before it
// even when the clock goes back, and their 16-byte form in chunk and manifest headers.
import type { Clock, Random } from '../core/clock.js';
import { invariant } from '../core/errors.js';
import { type PackId, packIdMs, parsePackId } from '../core/ids.js';

const MS_MAX = 2 ** 48 - 1;
const COUNTER_MAX = 0xfff;

/** The 16 bytes of a pack id. */
export function packIdBytes(id: PackId): Uint8Array {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** The pack id of 16 bytes; INVALID when they are not a UUIDv7. */
export function packIdOf(bytes: Uint8Array): PackId {
  const hex = Buffer.from(bytes).toString('hex');
  return parsePackId(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
  );
}

/** Makes pack ids. One per process and archive; give it the greatest id that the archive has seen. */
export class PackIds {
  readonly #clock: Clock;
  readonly #random: Random;
  #ms = 0;
  /** The 12 bits after the version count within a millisecond, as RFC 9562 6.2 method 1 allows. */
  #counter = 0;

  constructor(clock: Clock, random: Random, last?: PackId) {
    this.#clock = clock;
    this.#random = random;
    if (last !== undefined) {
      this.#ms = packIdMs(last);
      this.#counter = Number.parseInt(last.slice(15, 18), 16);
    }
  }

  /** A new id, greater than every one before it as text and as bytes. */
  next(): PackId {
    const now = Math.max(0, Math.floor(this.#clock.nowMs()));
    if (now > this.#ms) {
      this.#ms = now;
      this.#counter = 0;
    } else if (this.#counter < COUNTER_MAX) {
      this.#counter += 1;
    } else {
      // The millisecond is used up, or the clock stands still: ids run ahead of it rather than repeat.
      this.#ms += 1;
      this.#counter = 0;
    }
    invariant(this.#ms <= MS_MAX, 'the clock is beyond what a UUIDv7 can say');
    const bytes = Buffer.alloc(16);
    bytes.writeUIntBE(this.#ms, 0, 6);
    bytes.writeUInt16BE(0x7000 | this.#counter, 6);
    bytes.set(this.#random.bytes(8), 8);
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
    return packIdOf(bytes);
  }
}
