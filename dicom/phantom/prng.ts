// Repeatable chance for phantoms: the same seed gives the same bytes on every machine. Not for keys.
import { createHash } from 'node:crypto';

/** A stream of pseudo-random 32-bit numbers (mulberry32). */
export class Prng {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer in `[0, 2^32)`. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** An integer in `[0, bound)`. */
  below(bound: number): number {
    return Math.floor((this.next() / 0x100000000) * bound);
  }

  /** Bell-shaped noise about 0 with a standard deviation of about `deviation`: the sum of four even draws. */
  noise(deviation: number): number {
    const bits = this.next();
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
    return ((sum - 510) / 147.8) * deviation;
  }
}

/** A seed for one named thing of a larger whole. */
export function seedOf(seed: number, ...names: readonly (string | number)[]): number {
  return createHash('sha256')
    .update(`${seed}/${names.join('/')}`)
    .digest()
    .readUInt32BE(0);
}

/**
 * A UID of its own for one named thing: `2.25.` and a UUID as a decimal number (PS3.5 B.2). The UUID is of version 8
 * (RFC 9562 5.8), since it is made from a hash and not drawn.
 */
export function uidOf(seed: number, ...names: readonly (string | number)[]): string {
  const bytes = createHash('sha256')
    .update(`uid/${seed}/${names.join('/')}`)
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return `2.25.${BigInt(`0x${bytes.toString('hex')}`)}`;
}
