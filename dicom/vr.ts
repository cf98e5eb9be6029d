// The value representations of PS3.5 6.2 as small integers, with what the scanner must know of each: how its
// length is written, how its value is, and whether PS3.18 lets it be bulk data.

/** How a value is turned into JSON. */
export const Kind = {
  /** Default repertoire, several values. */
  CODE: 0,
  /** Specific Character Set, several values. */
  TEXT: 1,
  PERSON: 2,
  /** Specific Character Set, one value in which a backslash is a character. */
  LONG_TEXT: 3,
  /** Default repertoire, one value. */
  URI: 4,
  /** Numbers written as text: DS, IS. */
  NUMBER_TEXT: 5,
  NUMBER: 6,
  TAG: 7,
  BINARY: 8,
  SEQUENCE: 9,
} as const;

export interface Vr {
  readonly name: string;
  /** Index into VRS; 0 is no VR. */
  readonly id: number;
  readonly kind: number;
  /** Explicit VR: two reserved bytes and a 32-bit length (PS3.5 7.1.2). */
  readonly long: boolean;
  /** Bytes of one value or word, by which big endian swaps; 1 for text and bytes. */
  readonly unit: number;
  /** PS3.18 F.2.6 allows a BulkDataURI in place of the value. */
  readonly bulk: boolean;
}

const ROWS: readonly (readonly [name: string, kind: number, unit: number, flags: string])[] = [
  ['AE', Kind.CODE, 1, ''],
  ['AS', Kind.CODE, 1, ''],
  ['AT', Kind.TAG, 2, ''],
  ['CS', Kind.CODE, 1, ''],
  ['DA', Kind.CODE, 1, ''],
  ['DS', Kind.NUMBER_TEXT, 1, 'bulk'],
  ['DT', Kind.CODE, 1, ''],
  ['FD', Kind.NUMBER, 8, 'bulk'],
  ['FL', Kind.NUMBER, 4, 'bulk'],
  ['IS', Kind.NUMBER_TEXT, 1, 'bulk'],
  ['LO', Kind.TEXT, 1, ''],
  ['LT', Kind.LONG_TEXT, 1, 'bulk'],
  ['OB', Kind.BINARY, 1, 'long bulk'],
  ['OD', Kind.BINARY, 8, 'long bulk'],
  ['OF', Kind.BINARY, 4, 'long bulk'],
  ['OL', Kind.BINARY, 4, 'long bulk'],
  ['OV', Kind.BINARY, 8, 'long bulk'],
  ['OW', Kind.BINARY, 2, 'long bulk'],
  ['PN', Kind.PERSON, 1, ''],
  ['SH', Kind.TEXT, 1, ''],
  ['SL', Kind.NUMBER, 4, 'bulk'],
  ['SQ', Kind.SEQUENCE, 1, 'long'],
  ['SS', Kind.NUMBER, 2, 'bulk'],
  ['ST', Kind.LONG_TEXT, 1, 'bulk'],
  ['SV', Kind.NUMBER, 8, 'long bulk'],
  ['TM', Kind.CODE, 1, ''],
  ['UC', Kind.TEXT, 1, 'long bulk'],
  ['UI', Kind.CODE, 1, ''],
  ['UL', Kind.NUMBER, 4, 'bulk'],
  ['UN', Kind.BINARY, 1, 'long bulk'],
  ['UR', Kind.URI, 1, 'long'],
  ['US', Kind.NUMBER, 2, 'bulk'],
  ['UT', Kind.LONG_TEXT, 1, 'long bulk'],
  ['UV', Kind.NUMBER, 8, 'long bulk'],
];

const BY_NAME = new Map<string, Vr>();
/** By the two VR bytes as a big-endian number; 0 where they are no VR. */
const ID_BY_CODE = new Uint8Array(65_536);

const NONE: Vr = { name: '', id: 0, kind: Kind.BINARY, long: false, unit: 1, bulk: false };
export const VRS: readonly Vr[] = [
  NONE,
  ...ROWS.map(([name, kind, unit, flags], at): Vr => {
    const words = flags.split(' ');
    const vr = { name, id: at + 1, kind, unit, long: words.includes('long'), bulk: words.includes('bulk') };
    BY_NAME.set(name, vr);
    ID_BY_CODE[(name.charCodeAt(0) << 8) | name.charCodeAt(1)] = vr.id;
    return vr;
  }),
];

/** The VR whose two letters are the bytes `first` and `second`, or undefined. */
export function vrOfBytes(first: number, second: number): Vr | undefined {
  const id = ID_BY_CODE[(first << 8) | second] as number;
  return id === 0 ? undefined : VRS[id];
}

export function vrNamed(name: string): Vr | undefined {
  return BY_NAME.get(name);
}

function known(name: string): Vr {
  return BY_NAME.get(name) ?? NONE;
}

export const SQ = known('SQ');
export const UN = known('UN');
export const OB = known('OB');
