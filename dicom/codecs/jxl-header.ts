// The size that a JPEG XL stream announces (ISO/IEC 18181-1 annex D.2), read before a decoder makes room for it.
import { corruptFrame } from './codec-error.js';

/** Bits of a codestream, the lowest of each byte first. */
class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(count: number): number {
    let value = 0;
    for (let bit = 0; bit < count; bit += 1, this.#at += 1) {
      const byte = this.#bytes[this.#at >> 3];
      if (byte === undefined) throw corruptFrame('a JPEG XL header that is cut off');
      if ((byte >> (this.#at & 7)) & 1) value += 2 ** bit;
    }
    return value;
  }
}

const SIZE_BITS = [9, 13, 18, 30];
/** Width over height. */
const RATIOS = [
  [1, 1],
  [12, 10],
  [4, 3],
  [3, 2],
  [16, 9],
  [5, 4],
  [2, 1],
] as const;

/** CORRUPT for what is no JPEG XL stream, bare or in its container. */
export function readJxlSize(bytes: Uint8Array): { readonly rows: number; readonly columns: number } {
  const stream = codestreamOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  if (stream[0] !== 0xff || stream[1] !== 0x0a) throw corruptFrame('it does not begin as a JPEG XL stream');
  const bits = new BitReader(stream.subarray(2));
  const small = bits.read(1) === 1;
  const size = () => (small ? (bits.read(5) + 1) * 8 : bits.read(SIZE_BITS[bits.read(2)] as number) + 1);
  const rows = size();
  const ratio = RATIOS[bits.read(3) - 1];
  return { rows, columns: ratio === undefined ? size() : Math.floor((rows * ratio[0]) / ratio[1]) };
}

/** The first codestream box of a container, which begins with the signature box. */
function codestreamOf(bytes: Buffer): Uint8Array {
  if (bytes.length < 12 || bytes.toString('latin1', 4, 8) !== 'JXL ') return bytes;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const content = at + (length === 1 ? 16 : 8);
    if (type === 'jxlc') return bytes.subarray(content);
    // A partial codestream begins with its number.
    if (type === 'jxlp') return bytes.subarray(content + 4);
    if (length < 8) break;
    at += length;
  }
  throw corruptFrame('a JPEG XL container without a codestream');
}
