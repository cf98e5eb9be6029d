// Hostile bytes at the rewriter: what is stored all the same comes out with the same metadata, what would have been refused at the door, or
// was damaged since, ends in CORRUPT or in other valid bytes. Never in another error, never without an end.

import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InstanceLayout } from '../../dicom/instance.js';
import { rewriteInstance } from '../../dicom/rewrite/rewrite-instance.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';
import { EXPLICIT_LITTLE, transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import { ArchiveError, codeOf } from '../../tiering/core/errors.js';
import { bytesOf } from '../support/bytes.js';
import {
  DEFLATED_LE,
  dataset,
  type Encoding,
  EXPLICIT_BE,
  element,
  IMPLICIT_LE,
  imageElements,
  item,
  part10,
  sequence,
} from '../support/dicom-bytes.js';
import { ENCAPSULATED, encapsulatedFile, giving, pixelsOf } from '../support/pixel-files.js';
import { rewritten, sourceOf } from '../support/rewriting.js';
import { refused } from './dicom-refused.js';
import { taken } from './dicom-taken.js';

const SEED = Number(process.env['SEED'] ?? 20_261_122);
const NO_PIXELS: InstanceLayout = { deflated: false, pixels: null, bulk: [] };

/** Runs to the end and gives the bytes, or the error. */
async function outcome(bytes: Uint8Array, stored: string, layout = NO_PIXELS, target = EXPLICIT_LITTLE) {
  const shape = { rows: 2, columns: 2, bits: 8 };
  const { frame } = giving([bytesOf(4, 1), bytesOf(4, 2), bytesOf(4, 3)], target, pixelsOf(shape));
  const options = { source: sourceOf(bytes, 4096), layout, sop: '1.2.3', sopClass: '1.2', stored, target, frame };
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of rewriteInstance(options)) pieces.push(piece);
  } catch (error) {
    expect(error).toBeInstanceOf(ArchiveError);
    return codeOf(error);
  }
  return Buffer.concat(pieces);
}

describe('hostile DICOM bytes, to be written in Explicit VR Little Endian', () => {
  const native = taken.filter(({ bytes }) => {
    const { transferSyntaxUid } = parseInstance(bytes());
    return transferSyntaxOf(transferSyntaxUid)?.encapsulated === false;
  });

  it.each(native.map((one) => [one.name, one] as const))(
    'are written where they are taken: %s',
    async (_, { bytes }) => {
      const stored = parseInstance(bytes());
      const sent = parseInstance(await rewritten(bytes(), { pieceBytes: 65_536 }));
      const odd = stored.warnings.some(({ kind }) => kind === 'ODD_LENGTH');
      // A value made even is another one in base64.
      if (!odd) expect(sent.json === stored.json).toBe(true);
    },
  );

  it.each(refused.map((one) => [one.name, one] as const))('end where they are refused: %s', async (_, { bytes }) => {
    const result = await outcome(bytes(), EXPLICIT_LITTLE);
    if (typeof result === 'string') expect(result).toBe('CORRUPT');
  });
});

describe('stored bytes that were damaged', () => {
  const code = item(element(0x00080100, 'SH', 'code'), true);
  const implicitCode = item(element(0x00080100, 'SH', 'code', { encoding: 'implicit' }));
  const text = (encoding: Encoding): Buffer => element(0x00102000, 'LO', 'some text', { encoding });
  const explicit = dataset([sequence(0x00082112, [code, code], true), text('explicit'), ...imageElements(2, 2)]);
  const implicit = dataset([sequence(0x00082112, [implicitCode], true, 'implicit'), text('implicit')], {
    encoding: 'implicit',
  });
  const big = dataset([text('big'), element(0x00280010, 'US', Buffer.from([0, 2]), { encoding: 'big' })], {
    encoding: 'big',
  });
  const files = [
    [EXPLICIT_LITTLE, part10(explicit)],
    [IMPLICIT_LE, part10(implicit, { transferSyntax: IMPLICIT_LE })],
    [EXPLICIT_BE, part10(big, { transferSyntax: EXPLICIT_BE })],
    [DEFLATED_LE, part10(deflateRawSync(explicit), { transferSyntax: DEFLATED_LE })],
    [ENCAPSULATED, encapsulatedFile({ rows: 2, columns: 2, bits: 8 }, [bytesOf(4, 1), bytesOf(4, 2), bytesOf(4, 3)])],
  ] as const;

  it.each(files)('end in CORRUPT or in a file (%s)', async (syntax, file) => {
    const { layout } = parseInstance(file);
    const damage = fc.array(fc.tuple(fc.integer({ min: 132, max: file.length - 1 }), fc.nat({ max: 255 })), {
      maxLength: 4,
    });
    const property = fc.asyncProperty(damage, fc.nat({ max: file.length }), async (changes, cut) => {
      const bytes = Buffer.from(file);
      for (const [at, byte] of changes) bytes[at] = byte;
      for (const damaged of [bytes, bytes.subarray(0, cut)]) {
        const result = await outcome(damaged, syntax, layout);
        if (typeof result === 'string') expect(result).toBe('CORRUPT');
        else expect(result.toString('latin1', 128, 132)).toBe('DICM');
      }
    });
    await fc.assert(property, { seed: SEED, numRuns: 400 });
  });
});
