// Walks a data set once, without recursion, and writes its JSON as it goes. Strict: every length is checked against
// what contains it before a byte of the value is read, and whatever cannot be read with one meaning is refused.
import { characterSetOf } from '../charset/charset.js';
import { asciiBytes } from '../json/json-bytes.js';
import { asciiValues } from '../json/text-json.js';
import { levelOfTag } from '../level-attributes.js';
import {
  BULK_DEPTH_MAX,
  ELEMENTS_MAX,
  HEADER_BYTES_MAX,
  SEQUENCE_DEPTH_MAX,
  TRAILING_ZERO_BYTES_MAX,
} from '../limits.js';
import { OB, SQ, VRS, type Vr } from '../vr.js';
import {
  contradiction,
  type ElementHeader,
  knownVrOfUn,
  newHeader,
  readHeader,
  UNDEFINED_LENGTH,
} from './element-header.js';
import { walkFragments } from './fragments.js';
import { type ChildShape, type Context, childContext, rootContext } from './scan-context.js';
import type { ScanState } from './scan-state.js';
import { isIdentity } from './top-level.js';
import { isBulk, writeInline } from './value-json.js';

const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const SPECIFIC_CHARACTER_SET = 0x00080005;
const PIXEL_REPRESENTATION = 0x00280103;
const TRAILING_PADDING = 0xfffcfffc;
const EXTENDED_OFFSET_TABLE = 0x7fe00001;
const FLOAT_PIXEL_DATA = 0x7fe00008;
const DOUBLE_PIXEL_DATA = 0x7fe00009;
const PIXEL_DATA = 0x7fe00010;
const UN_ENCODING = { explicit: false, bigEndian: false } as const;

/** PS3.5 7.8.1: these groups are of no data set; 0000 and 0002 are of commands and of file meta information. FFFE is of delimiters. */
function isForbidden(group: number): boolean {
  return group < 8 ? group !== 4 && group !== 6 : group >= 0xfffe;
}

/** `{"vr":"XX"` of each VR, by its id. */
const OPENINGS: readonly Uint8Array[] = VRS.map(({ name }) => asciiBytes(`{"vr":"${name}"`));

const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const FIRST_ITEM = asciiBytes(',"Value":[{');
const NEXT_ITEM = asciiBytes(',{');
const SEQUENCE_CLOSE = asciiBytes(']}');

/** Scans the data set that begins at `state.at`; everything found is in `state`. Throws DicomError. */
export function scanDataset(state: ScanState): void {
  new DatasetScanner(state).run();
}

class DatasetScanner {
  readonly #state: ScanState;
  readonly #header: ElementHeader = newHeader();
  /** Tags of every open context, one after another. */
  readonly #tags: number[] = [];
  #context: Context;

  constructor(state: ScanState) {
    this.#state = state;
    const { explicit, bigEndian } = state.syntax;
    this.#context = rootContext(state.window.size, { explicit, bigEndian }, characterSetOf([]));
  }

  run(): void {
    const state = this.#state;
    const why = contradiction(state.window, state.at, this.#context.encoding);
    if (why !== null) throw state.error('TRANSFER_SYNTAX', why, state.at);
    state.json.byte(OPEN_OBJECT);
    for (;;) {
      const context = this.#context;
      if (state.at === context.limit) {
        if (context.parent === null) break;
        if (context.open) throw this.#endless(context);
        this.#close();
      } else if (context.sequence) this.#item(context);
      else if (this.#element(context)) break;
    }
    state.json.byte(CLOSE_OBJECT);
  }

  #endless(context: Context): Error {
    const whole = context.limit === this.#state.window.size;
    const what = 'a sequence or item of undefined length that is never delimited';
    return this.#state.error(whole ? 'TRUNCATED' : 'MALFORMED', what, this.#state.at, context.tag);
  }

  /** Something that does not fit into what contains it. */
  #overrun(context: Context, what: string, tag?: number): Error {
    const whole = context.limit === this.#state.window.size;
    return whole
      ? this.#state.error('TRUNCATED', `${what} past the end of the file`, this.#state.at, tag)
      : this.#state.error('MALFORMED', `${what} past the end of its item or sequence`, this.#state.at, tag);
  }

  #push(shape: ChildShape): void {
    const child = childContext(this.#context, shape);
    if (child.depth > SEQUENCE_DEPTH_MAX) {
      throw this.#state.error('LIMIT', `sequences more than ${SEQUENCE_DEPTH_MAX} deep`, this.#state.at, shape.tag);
    }
    this.#context = child;
  }

  /** Ends the innermost context. */
  #close(): void {
    const { json } = this.#state;
    const context = this.#context;
    const parent = context.parent as Context;
    this.#context = parent;
    if (!context.sequence) {
      json.byte(CLOSE_OBJECT);
      this.#tags.length = context.tagsFrom;
      return;
    }
    if (context.items > 0) json.put(SEQUENCE_CLOSE);
    else json.byte(CLOSE_OBJECT);
    if (parent.parent !== null) return;
    const level = levelOfTag(context.tag);
    if (level !== undefined) this.#state.addLevel(level, context.jsonStart, json.length);
  }

  /** Reads an item header or delimiter of a sequence. */
  #item(context: Context): void {
    const state = this.#state;
    if (state.at + 8 > context.limit) throw this.#overrun(context, 'an item header', context.tag);
    readHeader(state.window, state.at, context.limit, context.encoding, false, this.#header);
    const { tag, length } = this.#header;
    if (tag === SEQUENCE_END && context.open) {
      if (length !== 0) throw state.error('MALFORMED', 'a sequence delimiter with a length', state.at, context.tag);
      state.at += 8;
      this.#close();
      return;
    }
    if (tag !== ITEM)
      throw state.error('MALFORMED', 'something other than an item in a sequence', state.at, context.tag);
    this.#count();
    const open = length === UNDEFINED_LENGTH;
    const start = state.at + 8;
    if (!open && start + length > context.limit) throw this.#overrun(context, 'an item', context.tag);
    state.at = start;
    state.json.put(context.items === 0 ? FIRST_ITEM : NEXT_ITEM);
    context.items++;
    this.#push({
      sequence: false,
      tag: context.tag,
      limit: open ? context.limit : start + length,
      open,
      encoding: context.encoding,
      jsonStart: state.json.length,
      tagsFrom: this.#tags.length,
    });
  }

  /** Counts an element or item against the limits. */
  #count(): void {
    const state = this.#state;
    if (++state.elements > ELEMENTS_MAX) throw state.error('LIMIT', `more than ${ELEMENTS_MAX} elements`, state.at);
    if (state.at - state.start - state.bulkBytes > HEADER_BYTES_MAX) {
      throw state.error('LIMIT', `more than ${HEADER_BYTES_MAX} bytes beside bulk values`, state.at);
    }
  }

  /** Reads one element of a data set or item. Returns true when nothing but padding follows. */
  #element(context: Context): boolean {
    const state = this.#state;
    const header = this.#header;
    if (state.at + 8 > context.limit) {
      if (context.parent === null && this.#onlyZerosFollow()) return true;
      throw this.#overrun(context, 'an element header');
    }
    readHeader(state.window, state.at, context.limit, context.encoding, context.signed, header);
    const tag = header.tag;
    if (tag === ITEM_END && context.open) {
      if (header.length !== 0) throw state.error('MALFORMED', 'an item delimiter with a length', state.at, context.tag);
      state.at += 8;
      this.#close();
      return false;
    }
    if (isForbidden(tag >>> 16)) {
      if (tag === 0 && context.parent === null && this.#onlyZerosFollow()) return true;
      throw state.error('MALFORMED', 'an element that no data set has', state.at, tag);
    }
    if (header.vr === null) throw state.error('MALFORMED', 'a VR that DICOM does not have', state.at, tag);
    if (header.size === 0) throw this.#overrun(context, 'an element header', tag);
    this.#count();
    this.#order(context, tag);
    const start = state.at + header.size;
    if (header.length === UNDEFINED_LENGTH) this.#undefinedLength(context, tag, header.vr, start);
    else {
      if (start + header.length > context.limit) throw this.#overrun(context, 'a value', tag);
      this.#definedLength(context, tag, header.vr, start, start + header.length);
    }
    return false;
  }

  /** Elements come in ascending order and once (PS3.5 7.1). Disorder is tolerated; a second value for one attribute has no one meaning. */
  #order(context: Context, tag: number): void {
    const state = this.#state;
    if (tag > context.lastTag && context.seen === null) {
      context.lastTag = tag;
      this.#tags.push(tag);
      return;
    }
    context.seen ??= new Set(this.#tags.slice(context.tagsFrom));
    if (context.seen.has(tag)) {
      const identity = context.parent === null && isIdentity(tag);
      throw state.error(identity ? 'IDENTITY' : 'MALFORMED', 'an attribute that is there twice', state.at, tag);
    }
    context.seen.add(tag);
    state.warnings.add('VALUE', 'elements out of order', tag, state.at);
  }

  #undefinedLength(context: Context, tag: number, vr: Vr, start: number): void {
    const state = this.#state;
    if (tag === PIXEL_DATA && vr !== SQ) {
      this.#encapsulated(context, tag, vr, start);
      return;
    }
    const isUn = vr.name === 'UN';
    if (vr !== SQ && !isUn) throw state.error('MALFORMED', `an undefined length of VR ${vr.name}`, state.at, tag);
    // PS3.5 6.2.2: UN of undefined length is a sequence in Implicit VR Little Endian, whatever the rest is in.
    this.#sequence(context, tag, start, context.limit, true, isUn ? UN_ENCODING : context.encoding);
  }

  #sequence(
    context: Context,
    tag: number,
    start: number,
    limit: number,
    open: boolean,
    encoding: Context['encoding'],
  ): void {
    const state = this.#state;
    const jsonStart = this.#open(context, tag, SQ);
    state.at = start;
    this.#push({ sequence: true, tag, limit, open, encoding, jsonStart, tagsFrom: this.#tags.length });
  }

  #encapsulated(context: Context, tag: number, vr: Vr, start: number): void {
    const state = this.#state;
    const root = context.parent === null;
    if (!state.syntax.encapsulated) {
      throw state.error('TRANSFER_SYNTAX', 'encapsulated pixel data under a native transfer syntax', state.at, tag);
    }
    if (context.depth > BULK_DEPTH_MAX) {
      throw state.error('LIMIT', `encapsulated pixel data more than ${BULK_DEPTH_MAX} sequences deep`, state.at, tag);
    }
    const fragments = walkFragments(state.window, start, context.limit, tag);
    if (root) state.pixels = { kind: 'encapsulated', fragments };
    const shown = vr.name === 'UN' ? OB : vr;
    this.#bulk(context, tag, shown, start, fragments.end);
    if (!fragments.delimited) {
      state.warnings.add('PIXEL_LENGTH', 'encapsulated data without a sequence delimiter at the end of the file', tag);
    }
    state.at = fragments.end + (fragments.delimited ? 8 : 0);
  }

  #definedLength(context: Context, tag: number, written: Vr, start: number, end: number): void {
    const state = this.#state;
    const length = end - start;
    if (written === SQ) {
      this.#sequence(context, tag, start, end, false, context.encoding);
      return;
    }
    if (length % 2 === 1) state.warnings.add('ODD_LENGTH', 'a value of odd length', tag, state.at);
    const known = written.name === 'UN' && context.encoding.explicit ? knownVrOfUn(tag, context.signed) : written;
    // A UN value is as Implicit VR Little Endian has it (PS3.5 6.2.2).
    const bigEndian = context.encoding.bigEndian && written.name !== 'UN';
    state.at = end;
    if ((tag & 0xffff) === 0 || tag === TRAILING_PADDING) {
      // Group lengths (retired, PS3.5 7.2) and padding say nothing; they count as bulk, since nothing of them is kept.
      state.bulkBytes += length;
      return;
    }
    if (tag >= EXTENDED_OFFSET_TABLE && tag <= PIXEL_DATA) {
      if (context.parent === null) this.#notePixels(tag, start, end);
      if (tag >= FLOAT_PIXEL_DATA && length > 0 && context.depth <= BULK_DEPTH_MAX) {
        this.#bulk(context, tag, known, start, end);
        return;
      }
    }
    if (length === 0) this.#end(context, tag, this.#open(context, tag, known));
    else if (isBulk(known, length, context.depth)) {
      this.#bulk(context, tag, known, start, end);
    } else {
      this.#inline(context, tag, known, start, length, bigEndian);
    }
  }

  #inline(context: Context, tag: number, vr: Vr, start: number, length: number, bigEndian: boolean): void {
    const state = this.#state;
    if (length > HEADER_BYTES_MAX)
      throw state.error('LIMIT', `a value of more than ${HEADER_BYTES_MAX} bytes`, start, tag);
    const from = state.window.at(start, length);
    const to = from + length;
    const bytes = state.window.bytes;
    if (context.parent === null) state.top.take(tag, vr, bytes, from, to, bigEndian, start);
    if (tag === SPECIFIC_CHARACTER_SET) this.#characterSet(context, from, to);
    else if (tag === PIXEL_REPRESENTATION) context.signed = ((bytes[from] as number) | (bytes[to - 1] as number)) === 1;
    const jsonStart = this.#open(context, tag, vr);
    writeInline(state, context, tag, vr, from, to, bigEndian);
    this.#end(context, tag, jsonStart);
  }

  #characterSet(context: Context, from: number, to: number): void {
    const { window, warnings } = this.#state;
    context.charset = characterSetOf(asciiValues(window, from, Math.min(to, from + 1024)));
    if (context.charset.complaint !== null) warnings.add('CHARSET', context.charset.complaint, SPECIFIC_CHARACTER_SET);
  }

  /** Native pixel data of the top level, in any of its three forms, and the table that belongs to the encapsulated one. */
  #notePixels(tag: number, start: number, end: number): void {
    const state = this.#state;
    const range = { start, end };
    if (tag === EXTENDED_OFFSET_TABLE) state.top.extendedOffsets = range;
    else if (tag === FLOAT_PIXEL_DATA) state.pixels = { kind: 'native', range, sampleBits: 32 };
    else if (tag === DOUBLE_PIXEL_DATA) state.pixels = { kind: 'native', range, sampleBits: 64 };
    else if (tag === PIXEL_DATA) {
      if (state.syntax.encapsulated && end > start) {
        throw state.error('TRANSFER_SYNTAX', 'native pixel data under an encapsulated transfer syntax', start, tag);
      }
      state.pixels = { kind: 'native', range, sampleBits: null };
    }
  }

  /** Writes the beginning of one attribute and returns where it is. */
  #open(context: Context, tag: number, vr: Vr): number {
    const { json } = this.#state;
    if (context.empty) context.empty = false;
    else json.byte(COMMA);
    const start = json.length;
    json.tagName(tag);
    json.put(OPENINGS[vr.id] as Uint8Array);
    return start;
  }

  /** Ends an attribute that began at `start` of the JSON. */
  #end(context: Context, tag: number, start: number): void {
    const { json } = this.#state;
    json.byte(CLOSE_OBJECT);
    if (context.parent !== null) return;
    const level = levelOfTag(tag);
    if (level !== undefined) this.#state.addLevel(level, start, json.length);
  }

  #bulk(context: Context, tag: number, vr: Vr, start: number, end: number): void {
    const jsonStart = this.#open(context, tag, vr);
    this.#state.addBulk(context, tag, vr, start, end);
    this.#end(context, tag, jsonStart);
  }

  /** Files padded with zeros to a block end so. */
  #onlyZerosFollow(): boolean {
    const { window, at, warnings } = this.#state;
    const length = window.size - at;
    if (length > TRAILING_ZERO_BYTES_MAX) return false;
    const index = window.at(at, length);
    for (let next = index; next < index + length; next++) if (window.bytes[next] !== 0) return false;
    warnings.add('TRAILING_BYTES', `${length} zero bytes after the data set`, undefined, at);
    this.#state.at = window.size;
    return true;
  }
}
