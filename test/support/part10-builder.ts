// Writes small Part 10 files element by element, for tests that must know every byte of them. Explicit VR Little Endian, or
// whatever transfer syntax is named over the same encoding; fragments for encapsulated pixel data.
const LONG = new Set(['OB', 'OW', 'OF', 'OD', 'OL', 'OV', 'SQ', 'UN', 'UC', 'UR', 'UT']);
const PAD_NUL = new Set(['UI', 'OB', 'UN']);

export type ElementValue = string | number | Uint8Array | readonly Uint8Array[];
export type Element = readonly [tag: string, vr: string, value: ElementValue];

function valueBytes(vr: string, value: string | number | Uint8Array): Buffer {
  let bytes: Buffer;
  if (typeof value === 'number') {
    bytes = Buffer.alloc(2);
    bytes.writeUInt16LE(value);
  } else bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value);
  if (bytes.length % 2 === 0) return bytes;
  return Buffer.concat([bytes, Buffer.from(PAD_NUL.has(vr) ? '\0' : ' ')]);
}

function tagBytes(tag: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(Number.parseInt(tag.slice(0, 4), 16), 0);
  bytes.writeUInt16LE(Number.parseInt(tag.slice(4), 16), 2);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Fragments (an array) become items with an empty Basic Offset Table. */
export function encodeElement([tag, vr, value]: Element): Buffer {
  if (Array.isArray(value)) {
    const items = [Buffer.alloc(0), ...(value as readonly Uint8Array[])].map((fragment) => {
      const bytes = valueBytes('OB', fragment);
      return Buffer.concat([tagBytes('FFFEE000'), u32(bytes.length), bytes]);
    });
    const undefinedLength = u32(0xffffffff);
    return Buffer.concat([
      tagBytes(tag),
      Buffer.from(`${vr}\0\0`),
      undefinedLength,
      ...items,
      tagBytes('FFFEE0DD'),
      u32(0),
    ]);
  }
  const bytes = valueBytes(vr, value as string | number | Uint8Array);
  if (LONG.has(vr)) return Buffer.concat([tagBytes(tag), Buffer.from(`${vr}\0\0`), u32(bytes.length), bytes]);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes.length);
  return Buffer.concat([tagBytes(tag), Buffer.from(vr), length, bytes]);
}

export interface Part10Options {
  readonly study: string;
  readonly series: string;
  readonly sop: string;
  readonly transferSyntax?: string;
  readonly sopClass?: string;
  /** Further elements; they are sorted by tag, and replace those that are made here. */
  readonly elements?: readonly Element[];
  /** What becomes of the encoded data set: deflate. */
  readonly transform?: (dataSet: Buffer) => Buffer;
}

export const CT_IMAGE = '1.2.840.10008.5.1.4.1.1.2';

/** The bytes of a small, correct CT instance with what `options` adds. */
export function buildPart10(options: Part10Options): Buffer {
  const { study, series, sop, transferSyntax = '1.2.840.10008.1.2.1', sopClass = CT_IMAGE } = options;
  const elements = new Map<string, Element>();
  const base: readonly Element[] = [
    ['00080005', 'CS', 'ISO_IR 192'],
    ['00080016', 'UI', sopClass],
    ['00080018', 'UI', sop],
    ['00080020', 'DA', '20260102'],
    ['00080030', 'TM', '101500'],
    ['00080050', 'SH', 'ACC1'],
    ['00080060', 'CS', 'CT'],
    ['0008103E', 'LO', 'Thorax'],
    ['00100010', 'PN', 'Doe^Jane'],
    ['00100020', 'LO', 'PID1'],
    ['0020000D', 'UI', study],
    ['0020000E', 'UI', series],
    ['00200011', 'IS', '1'],
    ['00200013', 'IS', '1'],
  ];
  for (const element of [...base, ...(options.elements ?? [])]) elements.set(element[0], element);
  const sorted = [...elements.values()].sort(([a], [b]) => (a < b ? -1 : 1));
  const dataSet = Buffer.concat(sorted.map(encodeElement));
  const meta = Buffer.concat(
    (
      [
        ['00020001', 'OB', Uint8Array.of(0, 1)],
        ['00020002', 'UI', sopClass],
        ['00020003', 'UI', sop],
        ['00020010', 'UI', transferSyntax],
        ['00020012', 'UI', '1.2.826.0.1.3680043.10.1'],
      ] as const
    ).map(encodeElement),
  );
  const groupLength = encodeElement(['00020000', 'UL', u32(meta.length)]);
  const body = options.transform === undefined ? dataSet : options.transform(dataSet);
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), groupLength, meta, body]);
}

/** Image elements of native pixel data. */
export function nativeImage(geometry: {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  readonly frames: number;
  readonly pixels: Uint8Array;
}): readonly Element[] {
  return [
    ['00280002', 'US', 1],
    ['00280004', 'CS', 'MONOCHROME2'],
    ['00280008', 'IS', String(geometry.frames)],
    ['00280010', 'US', geometry.rows],
    ['00280011', 'US', geometry.columns],
    ['00280100', 'US', geometry.bits],
    ['00280101', 'US', geometry.bits],
    ['00280102', 'US', geometry.bits - 1],
    ['00280103', 'US', 0],
    ['7FE00010', geometry.bits > 8 ? 'OW' : 'OB', geometry.pixels],
  ];
}
