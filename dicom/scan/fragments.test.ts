import { describe, expect, it } from 'vitest';
import {
  dataset,
  element,
  encapsulated,
  header,
  imageElements,
  item,
  JPEG_BASELINE,
  part10,
  UNDEFINED,
  u16,
  u32,
} from '../../test/support/dicom-bytes.js';
import type { ParsedInstance } from '../instance.js';
import { parseInstance } from './parse-instance.js';

const MPEG4 = '1.2.840.10008.1.2.4.102';
const soi = Buffer.from('ffd8ffdb00000000', 'hex');
const more = Buffer.from('0102030405060708', 'hex');

function parsed(
  pixels: Buffer,
  frames?: string,
  extra: readonly Buffer[] = [],
  transferSyntax = JPEG_BASELINE,
): ParsedInstance {
  return parseInstance(part10(dataset([...imageElements(8, 8, frames), ...extra, pixels]), { transferSyntax }));
}

/** How many fragments each frame has. */
function shape(instance: ParsedInstance): number[] | null {
  const { pixels } = instance.layout;
  return pixels?.kind === 'encapsulated' ? pixels.frames.map((frame) => frame.length) : null;
}

function complaints(instance: ParsedInstance): string[] {
  return instance.warnings.map(({ kind }) => kind);
}

describe('frames of encapsulated pixel data', () => {
  it('are the fragments, one to one, where there are as many', () => {
    expect(shape(parsed(encapsulated([more, more, more]), '3'))).toEqual([1, 1, 1]);
  });

  it('are one where there is one frame, however many fragments it has', () => {
    expect(shape(parsed(encapsulated([soi, more, soi])))).toEqual([3]);
  });

  it('go by the basic offset table', () => {
    const instance = parsed(encapsulated([more, more, more, more], [0, 16]), '2');
    expect([shape(instance), complaints(instance)]).toEqual([[1, 3], []]);
  });

  it('go by the extended offset table', () => {
    const offsets = element(0x7fe00001, 'OV', u32(0, 0, 32, 0));
    const lengths = element(0x7fe00002, 'OV', u32(16, 0, 16, 0));
    const instance = parsed(encapsulated([more, more, more, more]), '2', [offsets, lengths]);
    expect([shape(instance), complaints(instance)]).toEqual([[2, 2], []]);
  });

  it('go by the codestreams where there is no table', () => {
    const instance = parsed(encapsulated([soi, more, soi, more, more]), '2');
    expect([shape(instance), complaints(instance)]).toEqual([[2, 3], []]);
  });

  it('are not guessed where nothing tells them apart', () => {
    const instance = parsed(encapsulated([more, more, more]), '2');
    expect([instance.layout.pixels, complaints(instance)]).toEqual([null, ['PIXEL_LENGTH']]);
  });

  it.each([
    ['between fragments', [0, 12]],
    ['backwards', [16, 0]],
    ['twice at one', [0, 0]],
    ['not at the first', [16, 32]],
    ['beyond', [0, 4096]],
  ])('go by the codestreams where the table points %s', (_, offsets) => {
    const instance = parsed(encapsulated([soi, more, soi, more], offsets), '2');
    expect([shape(instance), complaints(instance)]).toEqual([[2, 2], ['PIXEL_LENGTH']]);
  });

  it('are as many as there are fragments where Number of Frames says more', () => {
    const instance = parsed(encapsulated([soi, soi]), '9');
    expect([shape(instance), complaints(instance)]).toEqual([[1, 1], ['PIXEL_LENGTH']]);
  });

  it('are one stream in a video, whatever Number of Frames says', () => {
    expect(shape(parsed(encapsulated([more, more, more]), '250', [], MPEG4))).toEqual([3]);
  });

  it('are found by markers where Number of Frames is no number', () => {
    expect(shape(parsed(encapsulated([soi, soi, soi]), '1A'))).toEqual([1, 1, 1]);
  });

  it('end before the delimiter, and what follows is read on', () => {
    const after = element(0xfffafffa, 'SQ', Buffer.alloc(0));
    const instance = parseInstance(
      part10(Buffer.concat([dataset(imageElements(8, 8)), encapsulated([soi]), after]), {
        transferSyntax: JPEG_BASELINE,
      }),
    );
    expect(JSON.parse(instance.json)).toHaveProperty('FFFAFFFA');
  });

  it('of an icon do not become the instance', () => {
    const icon = Buffer.concat([
      header(0x00880200, 'SQ', UNDEFINED),
      item(encapsulated([more])),
      u16(0xfffe, 0xe0dd),
      u32(0),
    ]);
    const instance = parsed(encapsulated([soi, soi]), '2', [icon]);
    expect(shape(instance)).toEqual([1, 1]);
    expect(instance.layout.bulk.map(({ path }) => path)).toEqual(['00880200/0/7FE00010', '7FE00010']);
  });
});
