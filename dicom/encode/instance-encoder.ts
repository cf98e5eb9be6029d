// An instance that was sent as metadata (PS3.18 Annex F or PS3.19 A.1) becomes a DICOM file in Explicit VR Little Endian, or in the
// transfer syntax of its compressed pixel data. Written at once, with places for the bulk values, so that little is held while they come.
import { isUid } from '../../tiering/core/ids.js';
import type { DicomWarning } from '../instance.js';
import { nativeLayout } from '../scan/native-frames.js';
import { Warnings } from '../scan/warnings.js';
import { type BulkPlace, dataSetPieces, type Encoding } from './data-set-writer.js';
import { type DataSet, element } from './element.js';
import { fileMeta } from './file-meta.js';

/** Drawn once, for all that Filmroom writes. */
const IMPLEMENTATION_CLASS = '2.25.29019226996242553471585759450242988788';
const IMPLEMENTATION_VERSION = 'FILMROOM_1';
const CHARACTER_SET = 0x00080005;
/** What an answer says of the place where an instance lies, and a client may send back: never of the instance itself. */
const OF_THE_ANSWER: ReadonlySet<number> = new Set([0x00080056, 0x00081190, 0x00083002]);
const JOIN_AT = 4096;
const STEP = 1024;

/** Who an instance says it is; null where it does not, or not by the grammar of UIDs. */
export interface SentIdentity {
  readonly sopClass: string | null;
  readonly sop: string | null;
}

/** A data set as bytes, but for its bulk values. */
export interface EncodedDataSet {
  /** `bytes`, then the bulk value of `place`, and so on; the last has no place. */
  readonly pieces: readonly { readonly bytes: Uint8Array; readonly place: BulkPlace | null }[];
  readonly identity: SentIdentity;
  /** (0002,0010), if it was said. */
  readonly transferSyntax: string | null;
  /** 1 when absent, null when it is not a positive integer. */
  readonly frames: number | null;
  /** What native Pixel Data must have; null when that cannot be told. */
  readonly pixelBytes: number | null;
  readonly warnings: readonly DicomWarning[];
}

/** Many small buffers as one, joined as they come: each by itself is large beside what is in it. */
class Gathered {
  #small: Uint8Array[] = [];
  #joined: Uint8Array[] = [];

  add(bytes: Uint8Array): void {
    this.#small.push(bytes);
    if (this.#small.length >= JOIN_AT) this.#join();
  }

  take(): Uint8Array {
    this.#join();
    const all = Buffer.concat(this.#joined);
    this.#joined = [];
    return all;
  }

  #join(): void {
    this.#joined.push(Buffer.concat(this.#small));
    this.#small = [];
  }
}

/** A copy that is alone: what was cut out of the metadata would keep all of it in memory. */
function ownText(text: string): string {
  return Buffer.from(text).toString();
}

function textOf(dataSet: DataSet, tag: number): string | null {
  const value = dataSet.find((one) => one.tag === tag)?.value;
  const first = Array.isArray(value) ? (value[0] as string | number | undefined) : undefined;
  return first === undefined || first === '' ? null : ownText(String(first).trim());
}

function numberOf(dataSet: DataSet, tag: number): number | null {
  const text = textOf(dataSet, tag);
  const value = text === null ? Number.NaN : Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : null;
}

function uidOf(dataSet: DataSet, tag: number): string | null {
  const text = textOf(dataSet, tag);
  return text !== null && isUid(text) ? text : null;
}

export function identityOf(dataSet: DataSet): SentIdentity {
  return { sopClass: uidOf(dataSet, 0x00080016), sop: uidOf(dataSet, 0x00080018) };
}

function pixelBytesOf(dataSet: DataSet, frames: number | null): number | null {
  if (frames === null) return null;
  const geometry = {
    rows: numberOf(dataSet, 0x00280010),
    columns: numberOf(dataSet, 0x00280011),
    samples: numberOf(dataSet, 0x00280002),
    bitsAllocated: numberOf(dataSet, 0x00280100),
    photometric: textOf(dataSet, 0x00280004),
    frames,
  };
  const { pixels } = nativeLayout(0, Number.MAX_SAFE_INTEGER, geometry, null);
  const bytes = pixels === null ? Number.NaN : Math.ceil((pixels.frameBits * frames) / 8);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/**
 * Encodes a data set, in steps. Text is written in UTF-8 and (0008,0005) says so; group lengths and what only an answer says are left out; groups
 * below 0008 are left out with a warning, but for the file meta information, which is made anew.
 * @throws INVALID for a value that its VR cannot have.
 */
export function* encodeDataSet(dataSet: DataSet): Generator<void, EncodedDataSet, void> {
  const discarded = new Set<number>();
  const coerced = new Set<number>();
  const encoding: Encoding = {
    explicit: true,
    text: (text) => Buffer.from(text, 'utf8'),
    keeps: (tag, depth) => {
      const group = tag >>> 16;
      if ((tag & 0xffff) === 0 || group === 0x0002) return false;
      if (depth === 0 ? OF_THE_ANSWER.has(tag) : tag === CHARACTER_SET) return false;
      if (group >= 0x0008 && group !== 0xfffe) return true;
      discarded.add(tag);
      return false;
    },
    onCoerced: (tag) => coerced.add(tag),
  };
  const whole = [element(CHARACTER_SET, 'CS', 'ISO_IR 192'), ...dataSet.filter((one) => one.tag !== CHARACTER_SET)];
  const pieces: { bytes: Uint8Array; place: BulkPlace | null }[] = [];
  const gathered = new Gathered();
  let steps = 0;
  for (const piece of dataSetPieces(whole, encoding)) {
    if (piece instanceof Uint8Array) gathered.add(piece);
    else pieces.push({ bytes: gathered.take(), place: { ...piece, uri: ownText(piece.uri) } });
    if (++steps % STEP === 0) yield;
  }
  pieces.push({ bytes: gathered.take(), place: null });
  const frames = textOf(dataSet, 0x00280008) === null ? 1 : numberOf(dataSet, 0x00280008);
  return {
    pieces,
    identity: identityOf(dataSet),
    transferSyntax: uidOf(dataSet, 0x00020010),
    frames,
    pixelBytes: pixelBytesOf(dataSet, frames),
    warnings: warningsOf(discarded, coerced),
  };
}

function warningsOf(discarded: ReadonlySet<number>, coerced: ReadonlySet<number>): readonly DicomWarning[] {
  const warnings = new Warnings();
  for (const tag of discarded) warnings.add('DISCARDED', 'an element that no data set has was left out', tag);
  for (const tag of coerced) warnings.add('VALUE', 'a DS of more than 16 characters was rounded', tag);
  return warnings.list;
}

/** What comes before the pieces of `encoded`. */
export function encodedHead(encoded: EncodedDataSet, transferSyntax: string): Buffer {
  return fileMeta({
    sopClass: encoded.identity.sopClass ?? '',
    sop: encoded.identity.sop ?? '',
    transferSyntax,
    implementationClass: IMPLEMENTATION_CLASS,
    implementationVersion: IMPLEMENTATION_VERSION,
  });
}
