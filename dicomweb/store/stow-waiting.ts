// An instance that was sent as metadata and waits for its bulk values. What is short is held; a long last value goes straight
// into the archive behind all that comes before it, so that memory is bounded whatever its length.

import { tagText } from '../../dicom/dicom-error.js';
import type { BulkPlace } from '../../dicom/encode/data-set-writer.js';
import { elementHeader, itemHeader, padTo } from '../../dicom/encode/data-set-writer.js';
import { type EncodedDataSet, encodedHead } from '../../dicom/encode/instance-encoder.js';
import { EXPLICIT_LITTLE } from '../../dicom/transfer-syntax.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { DicomwebLimits } from '../limits.js';
import { type MediaType, parseMediaType } from '../negotiation/accept.js';
import { Handoff } from './handoff.js';
import type { Part } from './multipart-reader.js';
import { type CompressedForm, formOf, type SyntaxHints } from './stow-bulk-form.js';
import type { Held } from './stow-held.js';
import type { Intake } from './stow-intake.js';

const OCTETS = 'application/octet-stream';
/** What of a code stream is looked at: its markers come before its data, behind a colour profile at most. */
const BEGINNING_BYTES = 1024 * 1024;
/** A frame without others beside it may be many fragments. */
const FRAGMENT_BYTES = 1024 * 1024;
const PIXEL_DATA = 0x7fe00010;
const UNDEFINED_LENGTH = 0xffffffff;

/** One bulk value as far as it came. */
export interface BulkValue {
  readonly place: BulkPlace;
  /** Decided by the first part. */
  form: CompressedForm | undefined;
  /** Whole parts: one, or one a frame. */
  readonly parts: Buffer[][];
  partsDone: number;
  bytes: number;
  /** What the rest of it is given to, once the instance is being stored. */
  live: Handoff | null;
  /** Of a live native value. */
  length: number;
}

export class WaitingInstance {
  readonly encoded: EncodedDataSet;
  readonly values: ReadonlyMap<string, BulkValue>;
  readonly #hints: SyntaxHints;
  readonly #intake: Intake;
  readonly #held: Held;
  readonly #limits: DicomwebLimits;
  #heldBytes: number;
  #taking: Promise<void> | null = null;
  /** It was stored or refused: what else comes for it is skipped. */
  settled = false;
  /** Settled because it could not be stored. */
  refused = false;

  /** The data set's own bytes are to be held by the caller's budget: they are taken here. LIMIT, UNAVAILABLE. */
  constructor(
    encoded: EncodedDataSet,
    partSyntax: string | null,
    by: { readonly intake: Intake; readonly held: Held; readonly limits: DicomwebLimits },
  ) {
    this.encoded = encoded;
    this.#hints = { ofPart: partSyntax, ofDataSet: encoded.transferSyntax };
    this.#intake = by.intake;
    this.#held = by.held;
    this.#limits = by.limits;
    const values = new Map<string, BulkValue>();
    for (const { place } of encoded.pieces) {
      if (place === null) continue;
      if (values.has(place.uri)) throw fault(place, 'a bulk data URI that names two values');
      values.set(place.uri, { place, form: undefined, parts: [], partsDone: 0, bytes: 0, live: null, length: 0 });
    }
    this.values = values;
    this.#heldBytes = encoded.pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
    this.#held.take(this.#heldBytes);
  }

  get isLive(): boolean {
    return this.#taking !== null;
  }

  /** Whether every value is here. */
  get whole(): boolean {
    return [...this.values.values()].every((value) => this.#isDone(value));
  }

  /** A value that did not come. */
  get missing(): BulkPlace | undefined {
    return [...this.values.values()].find((value) => !this.#isDone(value))?.place;
  }

  /**
   * Takes a part for one of its values. Throws INVALID when the instance cannot be stored for it (the caller refuses it), and what the
   * part, the budget and the archive throw.
   */
  async takePart(value: BulkValue, part: Part): Promise<void> {
    if (this.#isDone(value)) throw fault(value.place, 'more bulk data than there are frames');
    const type = parseMediaType(part.headers.get('content-type') ?? OCTETS);
    const declared = lengthOf(part.headers.get('content-length'));
    let feed = value.live === null ? null : this.#feed(value, value.live);
    const chunks: Buffer[] = [];
    for await (const chunk of part.body) {
      if (feed !== null) {
        await feed.chunk(chunk);
        continue;
      }
      this.#hold(chunk.length);
      value.bytes += chunk.length;
      chunks.push(Buffer.from(chunk));
      if (value.bytes <= this.#limits.bulkHeldBytesMax) continue;
      const live = this.#goLive(value, type, chunks, declared);
      if (live === null) continue;
      feed = this.#feed(value, live);
      for (const each of chunks) await feed.chunk(each);
    }
    if (feed === null) {
      value.parts.push(chunks);
      this.#decide(value, type, chunks);
    } else await feed.end();
    value.partsDone++;
    if (feed === null && value.form === null) this.#checkLength(value);
    if (value.live !== null && this.#isDone(value)) {
      value.live.end();
      await this.#taking;
      this.#settle();
    }
  }

  /** Stores an instance of which everything is held. */
  async store(): Promise<void> {
    try {
      await this.#intake.take(this.#file(), this.encoded.warnings);
    } finally {
      this.#settle();
    }
  }

  /** Ends what is being stored, and gives back what is held. */
  async abandon(error: ArchiveError): Promise<void> {
    this.refused = true;
    for (const { live } of this.values.values()) live?.fail(error);
    await this.#taking?.catch(() => undefined);
    this.#settle();
  }

  #settle(): void {
    this.settled = true;
    this.#held.give(this.#heldBytes);
    this.#heldBytes = 0;
    for (const value of this.values.values()) value.parts.length = 0;
  }

  #hold(bytes: number): void {
    this.#held.take(bytes);
    this.#heldBytes += bytes;
  }

  #isDone(value: BulkValue): boolean {
    return value.form !== undefined && value.partsDone >= this.#wanted(value);
  }

  /** PS3.18 8.7.3.3.2: compressed frames come one a part; a video and a native value are one. */
  #wanted(value: BulkValue): number {
    return value.form === null || value.form === undefined || value.form.video ? 1 : (this.encoded.frames ?? 1);
  }

  #decide(value: BulkValue, type: MediaType, chunks: readonly Buffer[]): void {
    if (value.form !== undefined) return;
    const first = chunks[0] ?? Buffer.alloc(0);
    const beginning =
      first.length >= BEGINNING_BYTES ? first : Buffer.concat(chunks, Math.min(value.bytes, BEGINNING_BYTES));
    value.form = formOf(value.place, type, this.#hints, beginning);
  }

  /** Fewer bytes than the image needs are no pixel data of this image, but perhaps a compressed one that nobody named. */
  #checkLength(value: BulkValue): void {
    const pixels = this.#pixelBytes(value.place);
    if (pixels !== null && value.bytes < pixels) throw tooShort(value.place, value.bytes, pixels);
  }

  /** What a native value must have at least; null where that is not known. */
  #pixelBytes(place: BulkPlace): number | null {
    return place.tag === PIXEL_DATA && place.top ? this.encoded.pixelBytes : null;
  }

  /** Begins to store the instance with the rest of `value` still to come, when nothing else is missing and its length is known. */
  #goLive(value: BulkValue, type: MediaType, chunks: readonly Buffer[], declared: number | null): Handoff | null {
    for (const other of this.values.values()) if (other !== value && !this.#isDone(other)) return null;
    this.#decide(value, type, chunks);
    if (value.form === null) {
      const pixels = this.#pixelBytes(value.place);
      const length = declared ?? pixels;
      if (length === null) return null;
      if (pixels !== null && length < pixels) throw tooShort(value.place, length, pixels);
      value.length = length;
    }
    const live = new Handoff();
    value.live = live;
    // Whatever ends the storing lets the one who feeds it go on.
    this.#taking = this.#intake.take(this.#file(), this.encoded.warnings).finally(() => live.close());
    this.#taking.catch(() => undefined);
    return live;
  }

  /** How the chunks of one part reach the file that is being stored. */
  #feed(value: BulkValue, live: Handoff): { chunk(bytes: Uint8Array): Promise<void>; end(): Promise<void> } {
    if (value.form === null) return { chunk: (bytes) => live.push(bytes), end: () => Promise.resolve() };
    const single = this.#wanted(value) === 1;
    let gathered: Uint8Array[] = [];
    let bytes = 0;
    // One fragment; what is left of an odd length begins the next.
    const flush = async (length: number) => {
      const all = Buffer.concat(gathered);
      gathered = length === all.length ? [] : [all.subarray(length)];
      bytes = all.length - length;
      await live.push(all.subarray(0, length));
    };
    return {
      chunk: async (chunk) => {
        if (!single) this.#held.take(chunk.length);
        gathered.push(Buffer.from(chunk));
        bytes += chunk.length;
        if (single && bytes >= FRAGMENT_BYTES) await flush(bytes - (bytes % 2));
      },
      end: async () => {
        if (!single) this.#held.give(bytes);
        await flush(bytes);
      },
    };
  }

  async *#file(): AsyncGenerator<Uint8Array, void, void> {
    const form = [...this.values.values()].find((value) => value.form !== null && value.form !== undefined)?.form;
    yield encodedHead(this.encoded, form?.syntax ?? EXPLICIT_LITTLE);
    for (const { bytes, place } of this.encoded.pieces) {
      if (bytes.length > 0) yield bytes;
      const value = place === null ? undefined : this.values.get(place.uri);
      if (value === undefined) continue;
      if (value.form === null) yield* nativeValue(value);
      else yield* fragments(value);
    }
  }
}

async function* nativeValue(value: BulkValue): AsyncGenerator<Uint8Array, void, void> {
  const length = value.live === null ? value.bytes : value.length;
  yield elementHeader(value.place.tag, value.place.vr, length + (length % 2), true);
  let sent = 0;
  for (const chunk of value.parts.flat()) {
    sent += chunk.length;
    yield chunk;
  }
  if (value.live !== null) {
    for await (const chunk of value.live) {
      sent += chunk.length;
      if (sent > length + (length % 2)) break;
      yield chunk;
    }
  }
  // A pad byte may have been sent along.
  if (sent !== length && sent !== length + (length % 2)) {
    throw fault(value.place, `bulk data of another length than the ${length} bytes that were announced`);
  }
  if (sent % 2 === 1) yield Buffer.alloc(1);
}

/** PS3.5 A.4, with an empty Basic Offset Table: one fragment a frame, or many of the only one. */
async function* fragments(value: BulkValue): AsyncGenerator<Uint8Array, void, void> {
  yield elementHeader(value.place.tag, 'OB', UNDEFINED_LENGTH, true);
  yield itemHeader(0xe000, 0);
  const fragment = function* (bytes: Uint8Array) {
    const padded = padTo(bytes, 0);
    yield itemHeader(0xe000, padded.length);
    yield padded;
  };
  for (const part of value.parts) yield* fragment(Buffer.concat(part));
  if (value.live !== null) for await (const bytes of value.live) yield* fragment(bytes);
  yield itemHeader(0xe0dd, 0);
}

function lengthOf(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : null;
}

function tooShort(place: BulkPlace, bytes: number, expected: number): ArchiveError {
  return fault(place, `${bytes} bytes of native pixel data where the image has ${expected}`);
}

function fault(place: BulkPlace, what: string): ArchiveError {
  return new ArchiveError('INVALID', `${what}, in ${tagText(place.tag)}`);
}
