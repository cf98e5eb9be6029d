// Code extension techniques (PS3.5 6.1.2.5): text that switches character sets by escape sequences. Pure;
// never throws: what a set does not define becomes U+FFFD, an unknown escape sequence is dropped.
import { TextDecoder } from 'node:util';

/** A way to read bytes of one character set. `lead`: every character takes this many bytes in G0. */
interface GraphicSet {
  readonly decoder: string;
  /** G0 sets of two-byte characters: bytes go through `decoder` with the high bit set and this prefix. */
  readonly doubleByte: boolean;
  readonly prefix: number | null;
}

const single = (decoder: string): GraphicSet => ({ decoder, doubleByte: false, prefix: null });
const double = (decoder: string, prefix: number | null = null): GraphicSet => ({ decoder, doubleByte: true, prefix });

const ASCII = single('iso-8859-1');
const KATAKANA = single('shift_jis');
const KANJI = double('euc-jp');
/** JIS X 0212 in EUC-JP is announced by 0x8F before each character. */
const KANJI_SUPPLEMENT = double('euc-jp', 0x8f);

/** Designations by the bytes after ESC (PS3.3 tables C.12-3, C.12-4 and C.12-5). */
const G0: ReadonlyMap<string, GraphicSet> = new Map([
  ['(B', ASCII],
  ['(J', ASCII],
  ['$B', KANJI],
  ['$@', KANJI],
  ['$(D', KANJI_SUPPLEMENT],
]);
const G1: ReadonlyMap<string, GraphicSet> = new Map([
  ['-A', ASCII],
  ['-B', single('iso-8859-2')],
  ['-C', single('iso-8859-3')],
  ['-D', single('iso-8859-4')],
  ['-F', single('iso-8859-7')],
  ['-G', single('iso-8859-6')],
  ['-H', single('iso-8859-8')],
  ['-L', single('iso-8859-5')],
  ['-M', single('windows-1254')],
  ['-T', single('windows-874')],
  ['-b', single('iso-8859-15')],
  [')I', KATAKANA],
  ['$)C', single('euc-kr')],
  ['$)A', single('gbk')],
]);

const ESC = 0x1b;
const decoders = new Map<string, TextDecoder>();

/** A decoder of the platform, made once. Never throws on bad bytes; keeps a byte order mark. */
export function decoderOf(label: string): TextDecoder {
  let decoder = decoders.get(label);
  if (decoder === undefined) {
    decoder = new TextDecoder(label, { ignoreBOM: true });
    decoders.set(label, decoder);
  }
  return decoder;
}

/** Decodes bytes that are all of one single-byte set (with ASCII below it) or of an EUC. */
export function decodeAs(label: string, bytes: Buffer): string {
  // The platform reads iso-8859-1 as windows-1252; DICOM means the ISO set.
  return label === 'iso-8859-1' ? bytes.toString('latin1') : decoderOf(label).decode(bytes);
}

function decodeDouble(set: GraphicSet, bytes: Buffer): string {
  const width = set.prefix === null ? 2 : 3;
  const pairs = Math.floor(bytes.length / 2);
  const spread = Buffer.alloc(pairs * width);
  for (let at = 0; at < pairs; at++) {
    let to = at * width;
    if (set.prefix !== null) spread[to++] = set.prefix;
    spread[to] = (bytes[at * 2] as number) | 0x80;
    spread[to + 1] = (bytes[at * 2 + 1] as number) | 0x80;
  }
  return decoderOf(set.decoder).decode(spread) + (bytes.length % 2 === 1 ? '\ufffd' : '');
}

function escapeAt(bytes: Buffer, at: number): { readonly key: string; readonly length: number } {
  // Intermediate bytes are 0x20 to 0x2F, the final byte is above them. `$B` and `$@` are the two without a target.
  let end = at + 1;
  while (end < bytes.length && end < at + 4 && (bytes[end] as number) >= 0x20 && (bytes[end] as number) <= 0x2f) end++;
  end = Math.min(bytes.length, end + 1);
  return { key: bytes.toString('latin1', at + 1, end), length: end - at };
}

/** The G1 set that is in force before any escape sequence, by its ISO-IR number. */
function initialG1(registrations: readonly string[]): GraphicSet {
  const of = (registration: string): GraphicSet | undefined => {
    const designation = INITIAL.get(registration);
    return designation === undefined ? undefined : G1.get(designation);
  };
  const first = of(registrations[0] ?? '');
  if (first !== undefined) return first;
  // Many writers leave the designation out after the first delimiter: the only set it can be is taken.
  const rest = registrations.slice(1).flatMap((registration) => of(registration) ?? []);
  return rest[0] !== undefined && rest.length === 1 ? rest[0] : ASCII;
}

const INITIAL: ReadonlyMap<string, string> = new Map([
  ['100', '-A'],
  ['101', '-B'],
  ['109', '-C'],
  ['110', '-D'],
  ['126', '-F'],
  ['127', '-G'],
  ['138', '-H'],
  ['144', '-L'],
  ['148', '-M'],
  ['166', '-T'],
  ['203', '-b'],
  ['13', ')I'],
  ['149', '$)C'],
  ['58', '$)A'],
]);

/**
 * Decodes one value field with all its values.
 * @param registrations ISO-IR numbers of the values of (0008,0005), '' or '6' for the default repertoire.
 * @param person PN: `^` and `=` reset the designations too.
 */
export function decodeIso2022(bytes: Buffer, registrations: readonly string[], person: boolean): string {
  const initial = initialG1(registrations);
  let g0 = ASCII;
  let g1 = initial;
  let text = '';
  let from = 0;
  const flush = (to: number) => {
    if (to <= from) return;
    const run = bytes.subarray(from, to);
    text += g0.doubleByte ? decodeMixed(run, g0, g1) : decodeAs(g1.decoder, run);
    from = to;
  };
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === ESC) {
      flush(at);
      const { key, length } = escapeAt(bytes, at);
      g0 = G0.get(key) ?? g0;
      g1 = G1.get(key) ?? g1;
      at += length - 1;
      from = at + 1;
    } else if (isReset(byte, person, g0.doubleByte)) {
      flush(at);
      g0 = ASCII;
      g1 = initial;
    }
  }
  flush(bytes.length);
  return text;
}

/** PS3.5 6.1.2.5.3: what ends a designation. Inside of a two-byte set 0x5C, 0x5E and 0x3D are halves of characters. */
function isReset(byte: number, person: boolean, doubleByte: boolean): boolean {
  if (byte === 0x0d || byte === 0x0a || byte === 0x0c || byte === 0x09) return true;
  if (doubleByte) return false;
  return byte === 0x5c || (person && (byte === 0x5e || byte === 0x3d));
}

/** A run under a two-byte G0: high bytes are of G1, control characters and spaces are themselves. */
function decodeMixed(run: Buffer, g0: GraphicSet, g1: GraphicSet): string {
  let text = '';
  let from = 0;
  const classOf = (byte: number): number => (byte >= 0x80 ? 2 : byte > 0x20 ? 1 : 0);
  while (from < run.length) {
    const kind = classOf(run[from] as number);
    let to = from + 1;
    while (to < run.length && classOf(run[to] as number) === kind) to++;
    const part = run.subarray(from, to);
    text += kind === 1 ? decodeDouble(g0, part) : decodeAs(kind === 2 ? g1.decoder : 'iso-8859-1', part);
    from = to;
  }
  return text;
}
