// Chance from a seed: the same seed draws the same numbers on every machine.
import type { Random } from '../../../tiering/core/clock.js';

/** sfc32 (PractRand's small fast counting generator, 128 bits of state). */
export class Seeded implements Random {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  /** Streams of one seed with different names have nothing to do with each other. */
  constructor(seed: number, name = '') {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = 0x9e3779b9;
    for (let at = 0; at < name.length; at += 1) this.#c = Math.imul(this.#c ^ name.charCodeAt(at), 0x85ebca6b);
    for (let n = 0; n < 15; n += 1) this.next();
  }

  /** 32 bits. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** From 0 up to below 1. */
  share(): number {
    return this.next() / 2 ** 32;
  }

  /** A whole number from 0 up to below `end`. */
  below(end: number): number {
    return Math.floor(this.share() * end);
  }

  chance(share: number): boolean {
    return this.share() < share;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('nothing to pick from');
    return items[this.below(items.length)] as T;
  }

  /** One of the keys, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.share() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return (entries[0] as [K, number])[0];
  }

  bytes(count: number): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(count);
    for (let at = 0; at < count; at += 1) bytes[at] = this.next() >>> 24;
    return bytes;
  }
}
