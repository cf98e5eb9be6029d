// The markers of a JPEG (ITU-T T.81) or JPEG-LS (T.87) stream, read before and instead of trusting a decoder with it:
// what it says of its picture, and whether its end is there. A decoder fills up a cut stream with grey and says nothing.
import { corruptFrame } from './codec-error.js';

export interface JpegHeader {
  /** The SOF marker, 0xC0 to 0xCF, or 0xF7 of JPEG-LS. */
  readonly process: number;
  readonly precision: number;
  readonly rows: number;
  readonly columns: number;
  readonly components: number;
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;

/** DHT, JPG and DAC share the range of the SOF markers. */
function isFrameHeader(marker: number): boolean {
  return marker === 0xf7 || (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc);
}

/** Reads up to the first scan. CORRUPT for anything that is not a whole stream. */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < 4 || view.readUInt16BE(0) !== 0xff00 + SOI)
    throw corruptFrame('it does not begin as a JPEG stream');
  let header: JpegHeader | undefined;
  for (let at = 2; ; ) {
    // Any marker may stand behind fill bytes (T.81 B.1.1.2).
    while (view[at] === 0xff && view[at + 1] === 0xff) at += 1;
    const marker = view[at + 1];
    if (view[at] !== 0xff || marker === undefined || at + 4 > view.length) {
      throw corruptFrame('a JPEG stream without a scan');
    }
    const length = view.readUInt16BE(at + 2);
    const end = at + 2 + length;
    if (length < 2 || end > view.length) throw corruptFrame('a JPEG marker segment reaches past the end');
    if (isFrameHeader(marker)) {
      if (header !== undefined || length < 8) throw corruptFrame('a JPEG frame header that cannot be read');
      header = {
        process: marker,
        precision: view.readUInt8(at + 4),
        rows: view.readUInt16BE(at + 5),
        columns: view.readUInt16BE(at + 7),
        components: view.readUInt8(at + 9),
      };
    }
    if (marker === SOS) {
      if (header === undefined) throw corruptFrame('a JPEG scan without a frame header');
      // Entropy-coded data never holds an end marker by chance: 0xFF is always stuffed.
      if (view.indexOf(Buffer.of(0xff, EOI), end) < 0) throw corruptFrame('the stream ends without its end marker');
      return header;
    }
    at = end;
  }
}
