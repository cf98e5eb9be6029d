// Which transfer syntax compressed pixel data is in that was sent as bulk data (PS3.18 8.7.3): what the sender says, and where a
// media type stands for several, what the first bytes of the code stream say. A wrong label would be wrong pixels.

/** Media types of PS3.18 tables 8.7.3-4 and -5 that stand for one transfer syntax, or for one that holds all that others allow. */
const OF_TYPE: ReadonlyMap<string, string> = new Map([
  ['image/dicom-rle', '1.2.840.10008.1.2.5'],
  ['image/jpx', '1.2.840.10008.1.2.4.93'],
  ['image/jxl', '1.2.840.10008.1.2.4.112'],
  ['video/mpeg', '1.2.840.10008.1.2.4.100'],
  ['video/mp4', '1.2.840.10008.1.2.4.102'],
]);

const JPEG_OF_FRAME: ReadonlyMap<number, string> = new Map([
  [0xc0, '1.2.840.10008.1.2.4.50'],
  [0xc1, '1.2.840.10008.1.2.4.51'],
]);
/** Markers that stand alone, with no length behind them. */
const BARE = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8) || marker === 0x4f;

/** The marker segments of a JPEG or JPEG 2000 code stream up to its first scan or tile: marker and where its parameters begin. */
function* segments(bytes: Buffer): Generator<readonly [marker: number, at: number], void, void> {
  for (let at = 0; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) at++;
    else if (BARE(marker)) at += 2;
    else {
      yield [marker, at + 4];
      if (marker === 0xda || marker === 0x90) return;
      at += 2 + bytes.readUInt16BE(at + 2);
    }
  }
}

function jpegSyntax(bytes: Buffer): string | null {
  let lossless = false;
  for (const [marker, at] of segments(bytes)) {
    const frame = JPEG_OF_FRAME.get(marker);
    if (frame !== undefined) return frame;
    if (marker === 0xc3) lossless = true;
    if (marker === 0xda && lossless) {
      // ITU-T T.81 B.2.3: the predictor comes behind the components.
      const predictor = bytes[at + 1 + 2 * (bytes[at] ?? 0)];
      return predictor === 1 ? '1.2.840.10008.1.2.4.70' : '1.2.840.10008.1.2.4.57';
    }
  }
  return null;
}

function jpegLsSyntax(bytes: Buffer): string | null {
  for (const [marker, at] of segments(bytes)) {
    // ITU-T T.87 C.2.3: NEAR comes behind the components; 0 is lossless.
    if (marker !== 0xda) continue;
    return bytes[at + 1 + 2 * (bytes[at] ?? 0)] === 0 ? '1.2.840.10008.1.2.4.80' : '1.2.840.10008.1.2.4.81';
  }
  return null;
}

/** `reversible` when the wavelet is the 5-3 one, else `other`, which may hold anything. */
function jpeg2000Syntax(bytes: Buffer, reversible: string, other: string): string | null {
  for (const [marker, at] of segments(bytes)) {
    // ISO/IEC 15444-1 A.6.1: the transformation is the tenth byte of COD.
    if (marker === 0x52) return bytes[at + 9] === 1 ? reversible : other;
  }
  return null;
}

/**
 * The transfer syntax of a compressed frame sent as `mediaType`, where nobody said it; null when it cannot be told.
 * @param bytes the beginning of the code stream.
 */
export function syntaxOfBulk(mediaType: string, bytes: Buffer): string | null {
  switch (mediaType) {
    case 'image/jpeg':
    case 'image/dicom+jpeg':
      return jpegSyntax(bytes);
    case 'image/jls':
    case 'image/dicom+jpeg-ls':
      return jpegLsSyntax(bytes);
    case 'image/jp2':
    case 'image/dicom+jp2':
      return jpeg2000Syntax(bytes, '1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.91');
    case 'image/jphc':
      return jpeg2000Syntax(bytes, '1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.203');
    default:
      return OF_TYPE.get(mediaType) ?? null;
  }
}
