import { describe, expect, it } from 'vitest';
import { bytesOf } from '../../test/support/bytes.js';
import { element, IMPLICIT_LE, instance, item } from '../../test/support/dicom-bytes.js';
import { buildPart10 } from '../../test/support/part10-builder.js';
import { encapsulatedFile, giving, jsonOf, nativeFile, pixelsOf, SCOPE } from '../../test/support/pixel-files.js';
import { rewritten, sourceOf } from '../../test/support/rewriting.js';
import type { InstanceLayout } from '../instance.js';
import { parseInstance } from '../scan/parse-instance.js';
import { DEFLATED_EXPLICIT_LITTLE, EXPLICIT_LITTLE, JPEG_BASELINE, RLE_LOSSLESS } from '../transfer-syntax.js';
import { type RewriteOptions, rewriteInstance } from './rewrite-instance.js';

async function refusal(options: Partial<RewriteOptions> & { readonly file: Buffer }): Promise<unknown> {
  const { file, ...others } = options;
  const parsed = parseInstance(file);
  const pieces = rewriteInstance({
    source: sourceOf(file),
    layout: parsed.layout,
    sopClass: parsed.sopClassUid,
    sop: parsed.sopUid,
    stored: parsed.transferSyntaxUid,
    target: EXPLICIT_LITTLE,
    frame: () => Promise.reject(new Error('a frame was asked for')),
    ...others,
  });
  // The first piece is refused: nothing was sent.
  return pieces.next().then(
    () => null,
    (error: unknown) => error,
  );
}

describe('what cannot be given', () => {
  const shape = { rows: 2, columns: 2, bits: 8 };
  const file = nativeFile(shape, 1, bytesOf(4));

  it.each([
    ['implicit VR', IMPLICIT_LE],
    ['big endian', '1.2.840.10008.1.2.2'],
    ['deflated', DEFLATED_EXPLICIT_LITTLE],
    ['video', '1.2.840.10008.1.2.4.102'],
    ['something unknown', '1.2.3.4'],
    ['something lossy', JPEG_BASELINE],
    ['something that nothing encodes', '1.2.840.10008.1.2.4.110'],
  ])('is refused: %s as a target', async (_, target) => {
    expect(await refusal({ file, target })).toMatchObject({ code: 'NOT_SUPPORTED' });
  });

  it('is refused: pixels that lie elsewhere', async () => {
    const referenced = instance([], { transferSyntax: '1.2.840.10008.1.2.4.94' });
    expect(await refusal({ file: referenced })).toMatchObject({ code: 'NOT_SUPPORTED' });
  });

  it('is refused: floats as fragments', async () => {
    const floats = buildPart10({ ...SCOPE, elements: [['7FE00008', 'OF', bytesOf(16)]] });
    expect(await refusal({ file: floats, target: RLE_LOSSLESS })).toMatchObject({ code: 'NOT_SUPPORTED' });
  });

  it('is refused: fragments that cannot be told apart into frames', async () => {
    const three = encapsulatedFile(shape, [bytesOf(4), bytesOf(4), bytesOf(4)], [['00280008', 'IS', '2']]);
    expect(parseInstance(three).layout.pixels).toBeNull();
    expect(await refusal({ file: three })).toMatchObject({ code: 'NOT_SUPPORTED' });
  });

  it('is refused: a compressed icon, which nobody here transcodes; a native one is kept', async () => {
    const fragments = Buffer.from(
      'e07f10004f420000fffffffffeff00e000000000feff00e00200000001020000feffdde000000000',
      'hex',
    );
    const compressed = Buffer.concat([fragments.subarray(0, 30), fragments.subarray(32)]);
    const native = element(0x7fe00010, 'OB', Buffer.alloc(4));
    const frames = [bytesOf(4)];
    const given = giving(frames, EXPLICIT_LITTLE, pixelsOf(shape));
    const withIcon = (icon: Buffer) => encapsulatedFile(shape, frames, [['00880200', 'SQ', item(icon)]]);
    expect(await refusal({ file: withIcon(compressed), frame: given.frame })).toMatchObject({ code: 'NOT_SUPPORTED' });
    const sent = await rewritten(withIcon(native), { frame: given.frame });
    expect(jsonOf(sent)['00880200']).toEqual(jsonOf(withIcon(native))['00880200']);
  });

  it('is refused: native pixels of more than 4 GiB, once the first frame is known', async () => {
    const frames = Array.from({ length: 70_000 }, (_, at) => [{ start: 1000 + at * 10, end: 1002 + at * 10 }]);
    const whole = { rows: 256, columns: 256, bits: 8 };
    const encapsulated = encapsulatedFile(whole, [bytesOf(4)]);
    const { bulk } = parseInstance(encapsulated).layout;
    const given = giving([new Uint8Array(65_536)], EXPLICIT_LITTLE, pixelsOf(whole));
    const layout: InstanceLayout = { deflated: false, pixels: { kind: 'encapsulated', frames }, bulk };
    expect(await refusal({ file: encapsulated, layout, frame: given.frame })).toMatchObject({ code: 'LIMIT' });
    expect(given.asked).toEqual([1]);
  });

  it('is said before anything is sent when the first frame cannot be had, and at once when a later one cannot', async () => {
    const frames = [bytesOf(4, 1), bytesOf(4, 2), bytesOf(4, 3)];
    const stored = encapsulatedFile(shape, frames);
    const none = giving([], EXPLICIT_LITTLE, pixelsOf(shape));
    expect(await refusal({ file: stored, frame: none.frame })).toMatchObject({ message: 'frame 1' });
    const two = giving(frames.slice(0, 2), EXPLICIT_LITTLE, pixelsOf(shape));
    await expect(rewritten(stored, { frame: two.frame })).rejects.toThrow('frame 3');
  });

  it('is CORRUPT where frames differ in size', async () => {
    const frames = [bytesOf(4), bytesOf(6)];
    const given = giving(frames, EXPLICIT_LITTLE, pixelsOf(shape));
    await expect(rewritten(encapsulatedFile(shape, frames), { frame: given.frame })).rejects.toMatchObject({
      code: 'CORRUPT',
    });
    const small = giving([bytesOf(2)], EXPLICIT_LITTLE, pixelsOf(shape));
    expect(await refusal({ file: encapsulatedFile(shape, frames), frame: small.frame })).toMatchObject({
      code: 'CORRUPT',
    });
  });

  it('is CORRUPT where the index speaks of other bytes', async () => {
    expect(await refusal({ file, stored: IMPLICIT_LE })).toMatchObject({ code: 'CORRUPT' });
    const moved: InstanceLayout = {
      deflated: false,
      pixels: { kind: 'native', start: 10, end: 14, frames: 1, frameBits: 32 },
      bulk: [{ path: '7FE00010', vr: 'OB', start: file.length - 6, end: file.length - 2 }],
    };
    const given = giving([bytesOf(4)], RLE_LOSSLESS, pixelsOf(shape));
    const parsed = parseInstance(file);
    const pieces = rewriteInstance({
      source: sourceOf(file),
      layout: moved,
      sopClass: parsed.sopClassUid,
      sop: parsed.sopUid,
      stored: EXPLICIT_LITTLE,
      target: RLE_LOSSLESS,
      frame: given.frame,
    });
    await expect(
      (async () => {
        for await (const _ of pieces);
      })(),
    ).rejects.toMatchObject({ code: 'CORRUPT' });
  });
});
