// Pack ids and bytes that volume tests agree on without asking each other.
import { type PackId, parsePackId } from '../../tiering/core/ids.js';

const BORN_MS = Date.UTC(2031, 0, 31, 23, 59, 59);

/** A pack id of a fixed moment with `n` in its tail. */
export function packIdNumbered(n: number, bornMs = BORN_MS): PackId {
  const time = bornMs.toString(16).padStart(12, '0');
  return parsePackId(`${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`);
}

/** Bytes that differ from place to place and from seed to seed. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
