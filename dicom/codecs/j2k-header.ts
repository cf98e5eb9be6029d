// The main header of a JPEG 2000 or HTJ2K codestream (ITU-T T.800 annex A) and its chain of tile-parts, read before a
// decoder is trusted with it: decoders give a full picture for half a stream and say nothing.
import { corruptFrame } from './codec-error.js';

export interface J2kHeader {
  readonly columns: number;
  readonly rows: number;
  readonly components: number;
  /** Of the first component; `uniform` says that all are like it and none is subsampled. */
  readonly precision: number;
  readonly signed: boolean;
  readonly uniform: boolean;
  /** The multiple component transformation of COD: RGB lies in it as YBR_RCT or YBR_ICT. */
  readonly transformed: boolean;
  /** The codestream itself, without the boxes of a JP2 file around it. */
  readonly codestream: Uint8Array;
}

const SOC = 0xff4f;
const SIZ = 0xff51;
const COD = 0xff52;
const SOT = 0xff90;
const EOC = 0xffd9;
const TILES_MAX = 65_535;

/** CORRUPT for anything that is not a whole codestream. */
export function readJ2kHeader(bytes: Uint8Array): J2kHeader {
  const codestream = codestreamOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  if (codestream.length < 4 || codestream.readUInt16BE(0) !== SOC || codestream.readUInt16BE(2) !== SIZ) {
    throw corruptFrame('it does not begin as a JPEG 2000 codestream');
  }
  let size: SizeSegment | undefined;
  let transformed: boolean | undefined;
  for (let at = 2; ; ) {
    if (at + 4 > codestream.length) throw corruptFrame('a JPEG 2000 header without a tile');
    const marker = codestream.readUInt16BE(at);
    const length = codestream.readUInt16BE(at + 2);
    const end = at + 2 + length;
    if (marker < 0xff00 || length < 2 || end > codestream.length) {
      throw corruptFrame('a JPEG 2000 marker segment that cannot be');
    }
    if (marker === SIZ) size = readSize(codestream.subarray(at + 4, end));
    else if (marker === COD && length >= 12) transformed = codestream.readUInt8(at + 8) !== 0;
    else if (marker === SOT) {
      if (size === undefined || transformed === undefined) throw corruptFrame('a JPEG 2000 header without SIZ or COD');
      assertTileParts(codestream, at, size.tiles);
      const { tiles: _, ...picture } = size;
      return { ...picture, transformed, codestream };
    }
    at = end;
  }
}

/** Some writers wrap the codestream as a JP2 file, against PS3.5 8.2.4: the content of its jp2c box is meant. */
function codestreamOf(bytes: Buffer): Buffer {
  if (bytes.length < 12 || bytes.readUInt32BE(0) !== 12 || bytes.toString('latin1', 4, 8) !== 'jP  ') return bytes;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'jp2c') return bytes.subarray(at + (length === 1 ? 16 : 8));
    if (length < 8) break;
    at += length;
  }
  throw corruptFrame('a JP2 file without a codestream');
}

type SizeSegment = Omit<J2kHeader, 'transformed' | 'codestream'> & { readonly tiles: number };

function readSize(segment: Buffer): SizeSegment {
  if (segment.length < 39) throw corruptFrame('a JPEG 2000 size segment that is too short');
  const word = (index: number): number => segment.readUInt32BE(2 + index * 4);
  const components = segment.readUInt16BE(34);
  if (components === 0 || segment.length < 36 + components * 3) {
    throw corruptFrame('a JPEG 2000 size segment without its components');
  }
  const depth = segment.readUInt8(36);
  let uniform = true;
  for (let at = 36; at < 36 + components * 3; at += 3) {
    uniform &&= segment[at] === depth && segment[at + 1] === 1 && segment[at + 2] === 1;
  }
  const tiles = Math.ceil((word(0) - word(6)) / word(4)) * Math.ceil((word(1) - word(7)) / word(5));
  if (!(tiles >= 1 && tiles <= TILES_MAX))
    throw corruptFrame('a JPEG 2000 size segment with a number of tiles that cannot be');
  return {
    columns: word(0) - word(2),
    rows: word(1) - word(3),
    components,
    precision: (depth & 0x7f) + 1,
    signed: depth >= 0x80,
    uniform,
    tiles,
  };
}

/**
 * Follows the lengths of all tile-parts (T.800 A.4.2): they must lead to the end marker, past every tile, and past as many parts of each as
 * it says to have (0: it does not say).
 */
function assertTileParts(codestream: Buffer, first: number, tiles: number): void {
  const found = new Map<number, { parts: number; promised: number }>();
  for (let at = first; ; ) {
    const marker = at + 2 <= codestream.length ? codestream.readUInt16BE(at) : 0;
    if (marker === EOC) break;
    if (marker !== SOT || at + 12 > codestream.length) throw corruptFrame('a JPEG 2000 codestream that is cut off');
    const tile = codestream.readUInt16BE(at + 4);
    const length = codestream.readUInt32BE(at + 6);
    if (tile >= tiles || (length !== 0 && length < 14)) throw corruptFrame('a JPEG 2000 tile-part that cannot be');
    const { parts, promised } = found.get(tile) ?? { parts: 0, promised: 0 };
    found.set(tile, { parts: parts + 1, promised: Math.max(promised, codestream.readUInt8(at + 11)) });
    // Length 0: up to the end marker, which packet data cannot hold by chance.
    const end = length === 0 ? codestream.lastIndexOf(Buffer.of(0xff, 0xd9)) : at + length;
    if (end <= at) throw corruptFrame('a JPEG 2000 codestream without its end marker');
    at = end;
  }
  if (found.size !== tiles) throw corruptFrame('a JPEG 2000 codestream that lacks tiles');
  // More than promised is a fault of some old writers.
  for (const { parts, promised } of found.values()) {
    if (parts < promised) throw corruptFrame('a JPEG 2000 codestream that lacks parts of a tile');
  }
}
