// Random data sets in implicit VR, big endian and deflated must come out as the very bytes that an independent encoder here makes of
// them in Explicit VR Little Endian, and read as the same metadata; whatever the pieces are that the bytes come in.
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CT_CLASS,
  DEFLATED_LE,
  type Encoding,
  EXPLICIT_BE,
  EXPLICIT_LE,
  header,
  IMPLICIT_LE,
  part10,
  UNDEFINED,
} from '../../test/support/dicom-bytes.js';
import { rewritten } from '../../test/support/rewriting.js';
import { parseInstance } from '../scan/parse-instance.js';

const SEED = Number(process.env['SEED'] ?? 20_261_122);

/** A tag of each VR with the bytes of one word, as PS3.5 table 6.2-1 and PS3.6 have them. */
const TAGS: readonly (readonly [tag: number, vr: string, word: number])[] = [
  [0x00080054, 'AE', 1],
  [0x00080060, 'CS', 1],
  [0x00080070, 'LO', 1],
  [0x00080081, 'ST', 1],
  [0x00080106, 'DT', 1],
  [0x00080108, 'LT', 1],
  [0x00080119, 'UC', 1],
  [0x0008010e, 'UR', 1],
  [0x0008030e, 'UT', 1],
  [0x0008040c, 'UV', 8],
  [0x0008041b, 'OB', 1],
  [0x00081160, 'IS', 1],
  [0x00081163, 'FD', 8],
  [0x00089459, 'FL', 4],
  [0x00100010, 'PN', 1],
  [0x00101020, 'DS', 1],
  [0x00186020, 'SL', 4],
  [0x00189219, 'SS', 2],
  [0x0020000d, 'UI', 1],
  [0x00209165, 'AT', 2],
  [0x00280010, 'US', 2],
  [0x00281201, 'OW', 2],
  [0x00660016, 'OF', 4],
  [0x00660022, 'OD', 8],
  [0x00660129, 'OL', 4],
  [0x00720081, 'OV', 8],
  [0x00720082, 'SV', 8],
  [0x0072006d, 'UN', 1],
  [0x00091010, 'UN', 1],
];
const SEQUENCES = [0x00081140, 0x00082112, 0x00400275];
const TEXT = 'ABC XYZ 0123456789.';

interface Value {
  readonly tag: number;
  readonly vr: string;
  readonly word: number;
  /** Little endian. */
  readonly bytes: Buffer;
}
interface Sequence {
  readonly tag: number;
  readonly items: readonly DataSet[];
  readonly open: boolean;
  readonly openItems: boolean;
}
type DataSet = readonly (Value | Sequence)[];

function turned(bytes: Buffer, word: number): Buffer {
  const out = Buffer.alloc(bytes.length);
  for (let at = 0; at < bytes.length; at++) {
    const start = at - (at % word);
    out[start + word - 1 - (at % word)] = bytes[at] ?? 0;
  }
  return out;
}

/** A delimiter or item header. */
function mark(element: number, length: number, big: boolean): Buffer {
  const bytes = Buffer.alloc(8);
  for (const [at, half] of [0xfffe, element].entries()) {
    if (big) bytes.writeUInt16BE(half, at * 2);
    else bytes.writeUInt16LE(half, at * 2);
  }
  if (big) bytes.writeUInt32BE(length, 4);
  else bytes.writeUInt32LE(length, 4);
  return bytes;
}

/** `canonical`: as the rewriter writes, with every length undefined. */
function encode(set: DataSet, encoding: Encoding, canonical = false): Buffer {
  const big = encoding === 'big';
  const pieces: Buffer[] = [];
  for (const one of set) {
    if ('bytes' in one) {
      const bytes = big && one.vr !== 'UN' ? turned(one.bytes, one.word) : one.bytes;
      const short = !['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'].includes(one.vr);
      const vr = short && bytes.length > 0xffff ? 'UN' : one.vr;
      pieces.push(header(one.tag, vr, bytes.length, encoding), bytes);
      continue;
    }
    const open = canonical || one.open;
    const openItems = canonical || one.openItems;
    const content = one.items.flatMap((item) => {
      const bytes = encode(item, encoding, canonical);
      return [
        mark(0xe000, openItems ? UNDEFINED : bytes.length, big),
        bytes,
        ...(openItems ? [mark(0xe00d, 0, big)] : []),
      ];
    });
    const length = content.reduce((sum, piece) => sum + piece.length, 0);
    pieces.push(header(one.tag, 'SQ', open ? UNDEFINED : length, encoding), ...content);
    if (open) pieces.push(mark(0xe0dd, 0, big));
  }
  return Buffer.concat(pieces);
}

const value = (lengthMax: number): fc.Arbitrary<Value> =>
  fc
    .tuple(fc.constantFrom(...TAGS), fc.nat({ max: lengthMax }), fc.nat())
    .map(([[tag, vr, word], length, seed]): Value => {
      const unit = vr === 'AT' ? 4 : Math.max(word, 2);
      const bytes = Buffer.alloc(Math.floor(length / unit) * unit);
      const isText = word === 1 && vr !== 'OB' && vr !== 'UN';
      for (let at = 0; at < bytes.length; at++) {
        const random = Math.imul(seed + at, 2_654_435_761) >>> 11;
        bytes[at] = isText ? TEXT.charCodeAt(random % TEXT.length) : random & 0xff;
      }
      return { tag, vr, word, bytes };
    });

const inOrder = (set: DataSet): DataSet =>
  [...new Map(set.map((one) => [one.tag, one])).values()].sort((a, b) => a.tag - b.tag);

const { dataSet } = fc.letrec<{ dataSet: DataSet; sequence: Sequence }>((tie) => ({
  dataSet: fc
    .array(fc.oneof({ depthSize: 'small' }, { weight: 5, arbitrary: value(80) }, value(40_000), tie('sequence')), {
      maxLength: 8,
    })
    .map(inOrder),
  sequence: fc.record({
    tag: fc.constantFrom(...SEQUENCES),
    items: fc.array(tie('dataSet'), { maxLength: 3 }),
    open: fc.boolean(),
    openItems: fc.boolean(),
  }),
}));

const uid = (tag: number, text: string): Value => ({ tag, vr: 'UI', word: 1, bytes: Buffer.from(text, 'latin1') });
const IDENTITY: DataSet = [
  uid(0x00080016, `${CT_CLASS}\0`.slice(0, CT_CLASS.length + (CT_CLASS.length % 2))),
  uid(0x00080018, '1.2.3.40'),
  uid(0x0020000d, '1.2.3.50'),
  uid(0x0020000e, '1.2.3.60'),
];
const identified = (set: DataSet): DataSet => inOrder([...set, ...IDENTITY]);

/** What follows the file meta information. */
function dataSetOf(file: Buffer): Buffer {
  return file.subarray(144 + file.readUInt32LE(140));
}

async function check(set: DataSet, encoding: Encoding, syntax: string, pieceBytes: number): Promise<void> {
  const encoded = encode(set, encoding);
  const stored = part10(syntax === DEFLATED_LE ? deflateRawSync(encoded) : encoded, {
    transferSyntax: syntax,
    sopUid: '1.2.3.40',
  });
  const sent = await rewritten(stored, { pieceBytes });
  expect(dataSetOf(sent).equals(encode(set, 'explicit', true))).toBe(true);
  const parsed = parseInstance(sent);
  expect(parsed.transferSyntaxUid).toBe(EXPLICIT_LE);
  expect(parsed.json).toBe(parseInstance(stored).json);
}

describe('a data set in Explicit VR Little Endian', () => {
  const pieceBytes = fc.constantFrom(1, 7, 100, 4096, 1_000_000);
  const each: readonly (readonly [Encoding, string])[] = [
    ['implicit', IMPLICIT_LE],
    ['big', EXPLICIT_BE],
    ['explicit', DEFLATED_LE],
    ['explicit', EXPLICIT_LE],
  ];
  it.each(each)('is the same from %s (%s)', async (encoding, syntax) => {
    const property = fc.asyncProperty(dataSet, pieceBytes, (set, bytes) =>
      check(identified(set), encoding, syntax, bytes),
    );
    await fc.assert(property, { seed: SEED, numRuns: 100 });
  });

  it('has UN for a value that the 16-bit length of its VR does not hold (PS3.5 6.2.2)', async () => {
    const long = (length: number): DataSet =>
      identified([
        { tag: 0x00209165, vr: 'AT', word: 2, bytes: Buffer.alloc(length, 1) },
        { tag: 0x00281201, vr: 'OW', word: 2, bytes: Buffer.alloc(length, 2) },
      ]);
    await check(long(0xfffc), 'implicit', IMPLICIT_LE, 1000);
    await check(long(0x10000), 'implicit', IMPLICIT_LE, 1000);
    const sent = await rewritten(part10(encode(long(0x10000), 'implicit'), { transferSyntax: IMPLICIT_LE }));
    expect(sent.includes(Buffer.from([0x20, 0, 0x65, 0x91, 0x55, 0x4e, 0, 0, 0, 0, 1, 0]))).toBe(true);
  });
});
