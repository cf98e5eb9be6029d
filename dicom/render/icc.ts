// ICC profiles: where an instance has its own (PS3.3 C.11.15, C.8.12.5), and how one is written into an image file.
import { crc32, deflateSync } from 'node:zlib';
import type { DicomJson } from '../json/json-object.js';
import { binaryOf, type FetchBulk, itemsOf } from './item.js';

const ICC_PROFILE = '00282000';
/** What a JPEG segment holds beside its length and the 14 bytes of its name and numbers. */
const JPEG_PIECE_BYTES = 65_519;

/** The profile of an instance, or of its first optical path; null when it has none that is one. */
export async function profileOf(json: DicomJson, fetch: FetchBulk): Promise<Uint8Array | null> {
  for (const item of [json, ...itemsOf(json, '00480105')]) {
    const bytes = await binaryOf(item, ICC_PROFILE, fetch);
    if (bytes === null) continue;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // ICC.1 7.2: its own length at 0, its signature at 36.
    const length = view.length >= 128 ? view.readUInt32BE(0) : 0;
    if (length < 128 || length > view.length || view.toString('latin1', 36, 40) !== 'acsp') return null;
    return Uint8Array.from(view.subarray(0, length));
  }
  return null;
}

/** ICC.1 annex B.4: APP2 segments right behind the start of the image. */
function intoJpeg(image: Uint8Array, profile: Uint8Array): Uint8Array {
  const count = Math.ceil(profile.length / JPEG_PIECE_BYTES);
  const segments = Array.from({ length: count }, (_, at) => {
    const piece = profile.subarray(at * JPEG_PIECE_BYTES, (at + 1) * JPEG_PIECE_BYTES);
    const head = Buffer.alloc(18);
    head.writeUInt16BE(0xffe2, 0);
    head.writeUInt16BE(piece.length + 16, 2);
    head.write('ICC_PROFILE\0', 4, 'latin1');
    head[16] = at + 1;
    head[17] = count;
    return Buffer.concat([head, piece]);
  });
  return Uint8Array.from(Buffer.concat([image.subarray(0, 2), ...segments, image.subarray(2)]));
}

/** PNG 11.3.2.3: an iCCP chunk behind the header, which is 33 bytes with the signature. */
function intoPng(image: Uint8Array, profile: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from('iCCPICC profile\0\0', 'latin1'), deflateSync(profile)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length - 4);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Uint8Array.from(Buffer.concat([image.subarray(0, 33), length, body, check, image.subarray(33)]));
}

/** A JPEG or PNG file, which has no profile yet, with one. */
export function withProfile(image: Uint8Array, type: 'image/jpeg' | 'image/png', profile: Uint8Array): Uint8Array {
  return type === 'image/jpeg' ? intoJpeg(image, profile) : intoPng(image, profile);
}
