// Makes the hostile DICOM bytes that the case tables name.
import { constants, deflateRawSync } from 'node:zlib';
import {
  DEFLATED_LE,
  dataset,
  element,
  header,
  IMPLICIT_LE,
  imageElements,
  instance,
  item,
  part10,
  UNDEFINED,
  u16,
  u32,
} from '../support/dicom-bytes.js';

export const PIXELS = 0x7fe00010;
export const implicit = { encoding: 'implicit' } as const;

/** A preamble that begins with `start`. */
export function preamble(start: string): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.write(start, 'latin1');
  return bytes;
}

/** `count` copies of bytes, without a thousand small buffers. */
export function times(bytes: Uint8Array, count: number): Buffer {
  return Buffer.alloc(bytes.length * count, new Uint8Array(bytes));
}

/** `depth` sequences of undefined length, one in another. */
export function nested(depth: number, close = true): Buffer {
  const open = Buffer.concat([header(0x0040a730, 'SQ', UNDEFINED), u16(0xfffe, 0xe000), u32(UNDEFINED)]);
  const end = Buffer.concat([u16(0xfffe, 0xe00d), u32(0), u16(0xfffe, 0xe0dd), u32(0)]);
  return Buffer.concat([times(open, depth), ...(close ? [times(end, depth)] : [])]);
}

/** A file in which one identifying UID is as given. */
export function withUid(tag: number, vr: string, value: Buffer | string): Buffer {
  const identity = { sopUid: '1.2.3', studyUid: '1.2', seriesUid: '1.2.1' };
  const name = tag === 0x00080018 ? 'sopUid' : tag === 0x0020000d ? 'studyUid' : 'seriesUid';
  return part10(dataset([element(tag, vr, value)], { ...identity, [name]: null }));
}

/** Encapsulated pixel data of `count` empty fragments. */
export function emptyFragments(count: number): Buffer {
  return Buffer.concat([
    header(PIXELS, 'OB', UNDEFINED),
    item(Buffer.alloc(0)),
    times(item(Buffer.alloc(0)), count),
    u16(0xfffe, 0xe0dd),
    u32(0),
  ]);
}

/** A file whose Series Instance UID is `value`, of any length. */
export function withUidImplicit(value: Buffer): Buffer {
  return part10(dataset([element(0x0020000e, 'UI', value, implicit)], { ...implicit, seriesUid: null }), {
    transferSyntax: IMPLICIT_LE,
  });
}

/** A 4 by 4 image whose Number of Frames is `frames`. */
export function image(frames: string): Buffer {
  return instance([...imageElements(4, 4, frames), element(PIXELS, 'OW', Buffer.alloc(32))]);
}

/** Under 1 MiB that would inflate to 640 MiB: blocks that end in a flush can be laid one after another. */
export function deflateBomb(): Buffer {
  const block = deflateRawSync(Buffer.alloc(2 ** 24), { finishFlush: constants.Z_SYNC_FLUSH });
  return part10(times(block, 40), { transferSyntax: DEFLATED_LE });
}
