// Reads one element header in each of the three encodings of PS3.5 chapter 7, and notices a transfer syntax
// that the first bytes of the data set contradict.

import type { ByteWindow } from '../byte-window.js';
import { implicitVr } from '../dictionary.js';
import { UN, type Vr, vrNamed, vrOfBytes } from '../vr.js';

export const UNDEFINED_LENGTH = 0xffffffff;
const DELIMITER_GROUP = 0xfffe;

/** The encoding of a data set or item. */
export interface Encoding {
  readonly explicit: boolean;
  readonly bigEndian: boolean;
}

/** A header that is read into again and again. `size` is 0 when the bytes end before it does; `vr` null when its bytes are no VR. */
export interface ElementHeader {
  tag: number;
  vr: Vr | null;
  /** UNDEFINED_LENGTH for undefined. */
  length: number;
  /** Bytes of the header: 8 or 12. */
  size: number;
}

export function newHeader(): ElementHeader {
  return { tag: 0, vr: UN, length: 0, size: 0 };
}

const implicitVrs = [new Map<number, Vr>(), new Map<number, Vr>()] as const;

/** The VR that Implicit VR gives a tag; UN where the dictionary has none. Only tags of the dictionary are remembered. */
function implicitVrOf(tag: number, signed: boolean): Vr {
  const cache = implicitVrs[signed ? 1 : 0];
  const found = cache.get(tag);
  if (found !== undefined) return found;
  const vr = vrNamed(implicitVr(tag, signed) ?? '') ?? UN;
  if (vr !== UN && (tag >>> 16) % 2 === 0) cache.set(tag, vr);
  return vr;
}

/** What the dictionary knows of an element that is written as UN (PS3.5 6.2.2 note 2); UN when nothing, or a sequence. */
export function knownVrOfUn(tag: number, signed: boolean): Vr {
  if ((tag & 0x10000) !== 0) return UN;
  const vr = implicitVrOf(tag, signed);
  return vr.name === 'SQ' ? UN : vr;
}

/** Reads the header at `at`; at least 8 bytes lie before `limit`. `signed`: Pixel Representation is 1, for implicit VR. */
export function readHeader(
  window: Pick<ByteWindow, 'at' | 'bytes'>,
  at: number,
  limit: number,
  encoding: Encoding,
  signed: boolean,
  into: ElementHeader,
): void {
  const index = window.at(at, limit - at >= 12 ? 12 : 8);
  const bytes = window.bytes;
  const b0 = bytes[index] as number;
  const b1 = bytes[index + 1] as number;
  const b2 = bytes[index + 2] as number;
  const b3 = bytes[index + 3] as number;
  const big = encoding.bigEndian;
  const group = big ? (b0 << 8) | b1 : (b1 << 8) | b0;
  const tag = group * 65_536 + (big ? (b2 << 8) | b3 : (b3 << 8) | b2);
  into.tag = tag;
  into.size = 8;
  if (!encoding.explicit || group === DELIMITER_GROUP) {
    into.vr = group === DELIMITER_GROUP ? UN : implicitVrOf(tag, signed);
    into.length = big ? bytes.readUInt32BE(index + 4) : bytes.readUInt32LE(index + 4);
    return;
  }
  const vr = vrOfBytes(bytes[index + 4] as number, bytes[index + 5] as number);
  into.vr = vr ?? null;
  if (vr === undefined) return;
  if (!vr.long) {
    const b6 = bytes[index + 6] as number;
    const b7 = bytes[index + 7] as number;
    into.length = big ? (b6 << 8) | b7 : (b7 << 8) | b6;
  } else if (limit - at < 12) {
    into.size = 0;
  } else {
    into.size = 12;
    into.length = big ? bytes.readUInt32BE(index + 8) : bytes.readUInt32LE(index + 8);
  }
}

/** Why the first element of a data set cannot be in the encoding that the file meta information states, or null. */
export function contradiction(window: ByteWindow, at: number, encoding: Encoding): string | null {
  if (window.size - at < 8) return null;
  const index = window.at(at, 8);
  const bytes = window.bytes;
  const group = encoding.bigEndian ? bytes.readUInt16BE(index) : bytes.readUInt16LE(index);
  // Data sets begin in a low even group: 0008 read the other way round is 0800.
  if (group >= 0x100 && (group & 0xff) === 0) return `the data set is ${encoding.bigEndian ? 'little' : 'big'} endian`;
  const vr = vrOfBytes(bytes[index + 4] as number, bytes[index + 5] as number);
  if (encoding.explicit) return vr === undefined ? 'the data set is not in explicit VR' : null;
  const length = bytes.readUInt32LE(index + 4);
  return vr !== undefined && length > window.size - at ? 'the data set is in explicit VR' : null;
}
