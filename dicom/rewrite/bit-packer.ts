// Frames whose bits are no whole number of bytes, one after another without a gap (PS3.5 8.1.1): each begins at bit 0 of its own bytes,
// and is moved to where the one before it ended.

export class BitPacker {
  /** Bits of a byte that is not full yet, from the lowest. */
  #held = 0;
  /** How many: 0 to 7. */
  #count = 0;

  /** The whole bytes that `bits` more bits of `bytes` complete. */
  push(bytes: Uint8Array, bits: number): Uint8Array {
    const total = this.#count + bits;
    const out = new Uint8Array(Math.floor(total / 8));
    const shift = this.#count;
    let held = this.#held;
    for (let at = 0; at < out.length; at++) {
      const byte = bytes[at] ?? 0;
      out[at] = held | (byte << shift);
      held = byte >>> (8 - shift);
    }
    this.#count = total % 8;
    // What is left is in `held`, in the next byte, or in both.
    const next = out.length < bytes.length ? (bytes[out.length] ?? 0) << shift : 0;
    this.#held = (held | next) & ((1 << this.#count) - 1);
    return out;
  }

  /** The last byte, its unused bits 0; empty when there is none. */
  end(): Uint8Array {
    return this.#count === 0 ? new Uint8Array(0) : Uint8Array.of(this.#held);
  }
}
