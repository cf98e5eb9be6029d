// Binary numbers and tags to little endian bytes, from numbers or from text that spells them.
import type { Vr } from '../vr.js';
import { refuse } from './read-value.js';

type Write = (bytes: Buffer, at: number, value: string | number) => boolean;

const INTEGER = /^[+-]?\d{1,20}$/;
const TAG_TEXT = /^[0-9A-Fa-f]{8}$/;
/** The words of PS3.18 F.2.3 and the ones that other writers use. */
const WORDS: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['inf', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
]);

/** An integer within the range, however it is spelled (`1e2`, `1.0`). */
function integer(least: number, most: number, write: (bytes: Buffer, at: number, value: number) => void): Write {
  return (bytes, at, value) => {
    const number = value === '' ? Number.NaN : Number(value);
    if (!Number.isInteger(number) || number < least || number > most) return false;
    write(bytes, at, number);
    return true;
  };
}

/** 64-bit integers, of which a double would lose digits. */
function long(least: bigint, most: bigint, write: (bytes: Buffer, at: number, value: bigint) => void): Write {
  return (bytes, at, value) => {
    if (!INTEGER.test(String(value))) return false;
    const number = BigInt(value);
    if (number < least || number > most) return false;
    write(bytes, at, number);
    return true;
  };
}

function real(round: (value: number) => number, write: (bytes: Buffer, at: number, value: number) => void): Write {
  return (bytes, at, value) => {
    const word = typeof value === 'string' ? WORDS.get(value) : value;
    const number = word ?? (value === '' ? Number.NaN : Number(value));
    if (word === undefined && !Number.isFinite(round(number))) return false;
    write(bytes, at, number);
    return true;
  };
}

const WRITERS: ReadonlyMap<string, Write> = new Map([
  ['US', integer(0, 0xffff, (bytes, at, value) => bytes.writeUInt16LE(value, at))],
  ['SS', integer(-0x8000, 0x7fff, (bytes, at, value) => bytes.writeInt16LE(value, at))],
  ['UL', integer(0, 0xffffffff, (bytes, at, value) => bytes.writeUInt32LE(value, at))],
  ['SL', integer(-0x80000000, 0x7fffffff, (bytes, at, value) => bytes.writeInt32LE(value, at))],
  ['UV', long(0n, 2n ** 64n - 1n, (bytes, at, value) => bytes.writeBigUInt64LE(value, at))],
  ['SV', long(-(2n ** 63n), 2n ** 63n - 1n, (bytes, at, value) => bytes.writeBigInt64LE(value, at))],
  ['FL', real(Math.fround, (bytes, at, value) => bytes.writeFloatLE(value, at))],
  ['FD', real(Number, (bytes, at, value) => bytes.writeDoubleLE(value, at))],
  [
    'AT',
    (bytes, at, value) => {
      if (typeof value === 'string' && !TAG_TEXT.test(value)) return false;
      const tag = typeof value === 'string' ? Number.parseInt(value, 16) : value;
      bytes.writeUInt16LE(tag >>> 16, at);
      bytes.writeUInt16LE(tag & 0xffff, at + 2);
      return true;
    },
  ],
]);

/** INVALID when a value is not one that the VR holds. */
export function numberBytes(tag: number, vr: Vr, values: readonly (string | number)[]): Buffer {
  const width = vr.name === 'AT' ? 4 : vr.unit;
  const bytes = Buffer.alloc(values.length * width);
  const write = WRITERS.get(vr.name);
  for (const [index, value] of values.entries()) {
    if (write?.(bytes, index * width, value) !== true)
      throw refuse(tag, `a value that the vr ${vr.name} does not hold`);
  }
  return bytes;
}
