// Walks a stored data set once, forward and without recursion, and writes it in Explicit VR Little Endian as it goes (PS3.5 7.1.2,
// A.2). Values pass through in pieces; only headers are held. Sequences and items are written with undefined lengths, since
// headers grow on the way and nothing is looked at twice. What the scanner refuses at the door is CORRUPT here.
import { setImmediate } from 'node:timers/promises';
import { ArchiveError } from '../../tiering/core/errors.js';
import { tagText } from '../dicom-error.js';
import type { ByteRange } from '../instance.js';
import { ELEMENTS_MAX, SEQUENCE_DEPTH_MAX, TRAILING_ZERO_BYTES_MAX } from '../limits.js';
import { type ElementHeader, type Encoding, newHeader, readHeader, UNDEFINED_LENGTH } from '../scan/element-header.js';
import { Kind, SQ, type Vr } from '../vr.js';
import { ChunkWriter, GATHERED_VALUE_BYTES_MAX, padByte } from './chunk-writer.js';
import { type Context, childContext, rootContext } from './context.js';
import type { ForwardReader } from './forward-reader.js';
import type { WrittenElement } from './pixel-attributes.js';
import { swapInPlace } from './swap.js';

const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const PIXEL_REPRESENTATION = 0x00280103;
const PIXEL_DATA = 0x7fe00010;
/** (7FE0,0001) to (7FE0,0003): offsets, lengths and total length of the fragments as they were. */
const FRAGMENT_TABLE_FIRST = 0x7fe00001;
const FRAGMENT_TABLE_LAST = 0x7fe00003;
const UN_ENCODING: Encoding = { explicit: false, bigEndian: false };
/** Others get their turn after so many elements: a few milliseconds. */
const ELEMENTS_A_TURN = 5_000;

type Pieces = AsyncIterable<Uint8Array>;

/** What takes the place of the Pixel Data of the top level. */
export interface NewPixels {
  /** By ascending tag; they replace elements of the top level or are put in where they belong. */
  readonly elements: readonly WrittenElement[];
  /** The value field of the stored Pixel Data. */
  readonly stored: ByteRange;
  /** The whole new element. */
  write(): Pieces;
}

/** The data set from where `reader` is to `end` (Infinity: to the end of its bytes), with `pixels` in place of its own. Throws CORRUPT. */
export function rewriteDataset(
  reader: ForwardReader,
  encoding: Encoding,
  end: number,
  pixels: NewPixels | null,
): AsyncGenerator<Uint8Array, void, void> {
  return new DatasetRewriter(reader, rootContext(end, encoding), pixels).run();
}

class DatasetRewriter {
  readonly #reader: ForwardReader;
  readonly #out = new ChunkWriter();
  readonly #header: ElementHeader = newHeader();
  readonly #pixels: NewPixels | null;
  /** New elements that were not written yet. */
  readonly #pending: WrittenElement[];
  readonly #replaced: ReadonlySet<number>;
  #context: Context;
  #elements = 0;

  constructor(reader: ForwardReader, root: Context, pixels: NewPixels | null) {
    this.#reader = reader;
    this.#context = root;
    this.#pixels = pixels;
    this.#pending = [...(pixels?.elements ?? [])];
    this.#replaced = new Set(this.#pending.map(({ tag }) => tag));
  }

  async *run(): AsyncGenerator<Uint8Array, void, void> {
    const out = this.#out;
    for (let turn = ELEMENTS_A_TURN; ; ) {
      if (out.due) yield out.take();
      if (this.#elements >= turn) {
        turn += ELEMENTS_A_TURN;
        await setImmediate();
      }
      const context = this.#context;
      const there = await this.#headerBytes(context);
      if (there === 0 && this.#isEnd(context)) {
        if (context.parent === null) break;
        this.#close();
        continue;
      }
      if (there < 8 && (context.parent !== null || there === 0)) throw this.#corrupt('a data set that is cut off');
      if (there < 8 || (context.parent === null && this.#nextTag() === 0)) {
        await this.#onlyZerosFollow();
        break;
      }
      const pieces = context.sequence ? this.#item(context, there) : await this.#element(context, there);
      if (pieces === null) continue;
      if (!out.empty) yield out.take();
      yield* pieces;
    }
    this.#insertUpTo(Number.POSITIVE_INFINITY);
    if (!out.empty) yield out.take();
  }

  /** Brings the next header to hand; returns how many of its bytes there are. */
  async #headerBytes(context: Context): Promise<number> {
    const reader = this.#reader;
    const wanted = Math.min(context.encoding.explicit ? 12 : 8, context.limit - reader.position);
    return reader.buffered >= wanted ? wanted : reader.fill(wanted);
  }

  /** Whether `context` may end here, where no byte of it is left. */
  #isEnd(context: Context): boolean {
    if (context.open) return false;
    return this.#reader.position === context.limit || (context.parent === null && context.limit === Infinity);
  }

  /** Little or big endian: asked only whether it is 0. */
  #nextTag(): number {
    const { bytes, position } = this.#reader;
    return bytes.readUInt32LE(this.#reader.at(position, 8));
  }

  /** Files padded with zeros to a block end so. */
  async #onlyZerosFollow(): Promise<void> {
    let length = 0;
    for await (const piece of this.#reader.rest()) {
      length += piece.length;
      if (length > TRAILING_ZERO_BYTES_MAX || piece.some((byte) => byte !== 0)) {
        throw this.#corrupt('something other than zeros after the data set');
      }
    }
  }

  #readHeader(context: Context, there: number): ElementHeader {
    const reader = this.#reader;
    const { position } = reader;
    readHeader(reader, position, position + there, context.encoding, context.signed, this.#header);
    return this.#header;
  }

  #count(): void {
    if (++this.#elements > ELEMENTS_MAX) throw this.#corrupt(`more than ${ELEMENTS_MAX} elements`);
  }

  #push(context: Context): void {
    if (context.depth > SEQUENCE_DEPTH_MAX) throw this.#corrupt(`sequences more than ${SEQUENCE_DEPTH_MAX} deep`);
    this.#context = context;
  }

  /** Ends the innermost context. */
  #close(): void {
    if (this.#context.sequence) this.#out.sequenceEnd();
    else this.#out.itemEnd();
    this.#context = this.#context.parent as Context;
  }

  /** Reads an item header or delimiter of a sequence. */
  #item(context: Context, there: number): null {
    const { tag, length } = this.#readHeader(context, there);
    this.#reader.take(8);
    if (tag === SEQUENCE_END && context.open && length === 0) this.#close();
    else if (tag === ITEM) {
      this.#count();
      const end = this.#end(context, length);
      this.#out.item();
      this.#push(childContext(context, end));
    } else throw this.#corrupt('something other than an item in a sequence', tag);
    return null;
  }

  /** Where a value of `length` ends; null for an undefined length. */
  #end(context: Context, length: number, tag?: number): number | null {
    if (length === UNDEFINED_LENGTH) return null;
    const end = this.#reader.position + length;
    if (end > context.limit) throw this.#corrupt('a value that reaches past what contains it', tag);
    return end;
  }

  /** Reads one element. Returns what is to be sent next when that is more than could be gathered. */
  async #element(context: Context, there: number): Promise<Pieces | null> {
    const { tag, vr, length, size } = this.#readHeader(context, there);
    if (vr === null || size === 0) throw this.#corrupt('an element header that cannot be read', tag);
    this.#reader.take(size);
    if (tag === ITEM_END && context.open && length === 0) {
      this.#close();
      return null;
    }
    this.#count();
    const root = context.parent === null;
    if (root) this.#insertUpTo(tag);
    const end = this.#end(context, length, tag);
    if (root && tag === PIXEL_DATA && this.#pixels !== null) return this.#newPixels(this.#pixels, context, end);
    if (end === null || vr === SQ) return this.#sequence(context, tag, vr, end);
    if (tag === PIXEL_REPRESENTATION && length > 0) await this.#pixelRepresentation(context, length);
    if ((tag & 0xffff) === 0 || (root && this.#isReplaced(tag))) {
      await this.#skip(end);
      return null;
    }
    return this.#value(context, tag, vr, length);
  }

  /** Group lengths are retired (PS3.5 7.2) and would be wrong; the rest is written anew or belongs to what is. */
  #isReplaced(tag: number): boolean {
    if (this.#replaced.has(tag)) return true;
    return this.#pixels !== null && tag >= FRAGMENT_TABLE_FIRST && tag <= FRAGMENT_TABLE_LAST;
  }

  #insertUpTo(tag: number): void {
    for (let next = this.#pending[0]; next !== undefined && next.tag <= tag; next = this.#pending[0]) {
      this.#out.value(next.bytes, 0, next.bytes.length);
      this.#pending.shift();
    }
  }

  async #pixelRepresentation(context: Context, length: number): Promise<void> {
    const reader = this.#reader;
    if (length > GATHERED_VALUE_BYTES_MAX || (await reader.fill(length)) < length) {
      throw this.#corrupt('a value that is cut off', PIXEL_REPRESENTATION);
    }
    const at = reader.at(reader.position, length);
    context.signed = ((reader.bytes[at] as number) | (reader.bytes[at + length - 1] as number)) === 1;
  }

  #sequence(context: Context, tag: number, vr: Vr, end: number | null): null {
    const isUn = vr.name === 'UN';
    if (vr !== SQ && !isUn) throw this.#corrupt(`an undefined length of VR ${vr.name}`, tag);
    this.#out.header(tag, SQ, UNDEFINED_LENGTH);
    // PS3.5 6.2.2: UN of undefined length is a sequence in Implicit VR Little Endian, whatever the rest is in.
    this.#push(childContext(context, end, isUn ? UN_ENCODING : context.encoding));
    return null;
  }

  async #value(context: Context, tag: number, vr: Vr, length: number): Promise<Pieces | null> {
    const reader = this.#reader;
    // A number with an odd length is left as it is: a pad byte could make one more number of it.
    const pads = length % 2 === 1 && vr.kind !== Kind.NUMBER && vr.kind !== Kind.TAG;
    // A UN value is as Implicit VR Little Endian has it (PS3.5 6.2.2).
    const unit = context.encoding.bigEndian ? vr.unit : 1;
    this.#out.header(tag, vr, pads ? length + 1 : length);
    if (length > GATHERED_VALUE_BYTES_MAX) return this.#longValue(length, unit, pads ? padByte(vr) : null);
    if (reader.buffered < length && (await reader.fill(length)) < length) throw this.#cutOff(tag);
    const at = reader.at(reader.position, length);
    const written = this.#out.value(reader.bytes, at, at + length);
    reader.take(length);
    if (unit > 1) swapInPlace(written, unit);
    if (pads) this.#out.byte(padByte(vr));
    return null;
  }

  async *#longValue(length: number, unit: number, pad: number | null): Pieces {
    const reader = this.#reader;
    for (let left = length; left > 0; ) {
      const least = Math.min(unit, left);
      if (reader.buffered < least && (await reader.fill(least)) < least) throw this.#cutOff();
      let count = Math.min(left, reader.buffered);
      if (count > unit) count -= count % unit;
      const piece = reader.take(count);
      yield unit > 1 ? swapInPlace(Buffer.from(piece), unit) : piece;
      left -= count;
    }
    if (pad !== null) yield Uint8Array.of(pad);
  }

  async #skip(end: number): Promise<void> {
    if (!(await this.#reader.skip(end))) throw this.#cutOff();
  }

  /** Passes over the stored pixels and their delimiter, and gives the new ones. */
  async #newPixels(pixels: NewPixels, context: Context, end: number | null): Promise<Pieces> {
    const reader = this.#reader;
    if (reader.position !== pixels.stored.start || (end !== null && end !== pixels.stored.end)) {
      throw this.#corrupt('pixel data that is not where the index says', PIXEL_DATA);
    }
    await this.#skip(pixels.stored.end);
    if (end !== null) return pixels.write();
    // Some writers leave the delimiter out at the end of a file.
    const there = await this.#headerBytes(context);
    if (there > 0) {
      if (there < 8) throw this.#cutOff(PIXEL_DATA);
      const { tag, length } = this.#readHeader(context, there);
      if (tag !== SEQUENCE_END || length !== 0) throw this.#corrupt('fragments without a delimiter', PIXEL_DATA);
      reader.take(8);
    }
    return pixels.write();
  }

  #cutOff(tag?: number): ArchiveError {
    return this.#corrupt('a value that is cut off', tag);
  }

  #corrupt(what: string, tag?: number): ArchiveError {
    const where = tag === undefined ? '' : ` in ${tagText(tag)}`;
    const at = ` at byte ${this.#reader.position}`;
    return new ArchiveError('CORRUPT', `a stored instance cannot be written again: ${what}${where}${at}`);
  }
}
