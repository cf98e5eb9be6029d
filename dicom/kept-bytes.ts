// What is kept of an instance that is too long to be held and passes through once: its beginning, its end, and of every item
// header on the way the few bytes that the scanner looks at. As a ByteSource that says what else would be needed.
import { ArchiveError } from '../tiering/core/errors.js';
import type { ByteSource } from './byte-source.js';
import type { ByteRange } from './instance.js';
import { FRAGMENTS_MAX } from './limits.js';

/** An item's header (tag and length) and how its value begins, which tells where a frame begins: PS3.5 7.5, A.4. */
const SPOT_BYTES = 16;
/** What follows the pixel data is seldom longer: padding, signatures. */
const TAIL_BYTES = 1024 * 1024;
/** (FFFE,E000) and (FFFE,E0DD), as they lie in every transfer syntax that has fragments. */
const ITEM_TAGS = [Buffer.from([0xfe, 0xff, 0x00, 0xe0]), Buffer.from([0xfe, 0xff, 0xdd, 0xe0])];

export interface KeptPiece {
  readonly start: number;
  readonly bytes: Uint8Array;
}

export interface KeptBytes {
  /** Of the whole instance. */
  readonly size: number;
  readonly pieces: readonly KeptPiece[];
  /** Where something begins that looks like an item, ascending, and the 16 bytes from there on, one after another. */
  readonly spotStarts: Float64Array;
  readonly spotBytes: Uint8Array;
}

/** What was read is not among what was kept. */
export class NotKept extends ArchiveError {
  readonly range: ByteRange;

  constructor(range: ByteRange) {
    super('UNAVAILABLE', `the bytes ${range.start} to ${range.end} of an instance were not kept`);
    this.range = range;
  }
}

/** Is shown an instance from its first byte to its last. */
export class Keeper {
  #seen = 0;
  #head: Uint8Array = new Uint8Array(0);
  #tail: Uint8Array = new Uint8Array(0);
  #spotStarts = new Float64Array(1024);
  #spotBytes = new Uint8Array(1024 * SPOT_BYTES);
  #spots = 0;

  /** The next bytes, best megabytes at a time. The first are kept as they are: they must stay until the last `kept`. */
  take(bytes: Uint8Array): void {
    if (this.#seen === 0) this.#head = bytes;
    // What began before and was not whole there: fewer than 16 bytes lie before the border.
    const before = this.#tail.subarray(Math.max(0, this.#tail.length - (SPOT_BYTES - 1)));
    const seam = Buffer.concat([before, bytes.subarray(0, SPOT_BYTES - 1)]);
    this.#note(seam, this.#seen - before.length, before.length);
    this.#note(bytes, this.#seen, bytes.length - SPOT_BYTES + 1);
    const tail = bytes.length >= TAIL_BYTES ? bytes : Buffer.concat([this.#tail, bytes]);
    this.#tail = Uint8Array.from(tail.subarray(Math.max(0, tail.length - TAIL_BYTES)));
    this.#seen += bytes.length;
  }

  /** @param size of the instance; of what was shown beyond it nothing is read. */
  kept(size: number): KeptBytes {
    return {
      size,
      pieces: [
        { start: 0, bytes: this.#head },
        { start: this.#seen - this.#tail.length, bytes: this.#tail },
      ],
      spotStarts: this.#spotStarts.slice(0, this.#spots),
      spotBytes: this.#spotBytes.slice(0, this.#spots * SPOT_BYTES),
    };
  }

  /** Keeps the spots of `bytes` that begin before `below`; `base` is where the bytes lie in the instance. */
  #note(bytes: Uint8Array, base: number, below: number): void {
    const found: number[] = [];
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const tag of ITEM_TAGS) {
      for (let at = buffer.indexOf(tag); at >= 0 && at < below; at = buffer.indexOf(tag, at + 1)) found.push(at);
    }
    for (const at of found.sort((a, b) => a - b)) {
      if (this.#spots >= FRAGMENTS_MAX) return;
      if (this.#spots === this.#spotStarts.length) this.#grow();
      this.#spotStarts[this.#spots] = base + at;
      this.#spotBytes.set(bytes.subarray(at, at + SPOT_BYTES), this.#spots * SPOT_BYTES);
      this.#spots += 1;
    }
  }

  #grow(): void {
    const starts = new Float64Array(this.#spotStarts.length * 2);
    starts.set(this.#spotStarts);
    this.#spotStarts = starts;
    const bytes = new Uint8Array(starts.length * SPOT_BYTES);
    bytes.set(this.#spotBytes);
    this.#spotBytes = bytes;
  }
}

/** What was kept, as a source: reading anything else throws NotKept with what was asked for. */
export function keptSource(kept: KeptBytes): ByteSource {
  return {
    size: kept.size,
    read: (start, end, least) => {
      for (const piece of kept.pieces) {
        if (piece.start <= start && least <= piece.start + piece.bytes.length) {
          return piece.bytes.subarray(start - piece.start, end - piece.start);
        }
      }
      return spotAt(kept, start, Math.min(least, kept.size)) ?? missing({ start, end });
    },
  };
}

function missing(range: ByteRange): never {
  throw new NotKept(range);
}

function spotAt({ spotStarts, spotBytes, size }: KeptBytes, start: number, least: number): Uint8Array | undefined {
  let low = 0;
  let high = spotStarts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spotStarts[middle] ?? 0) <= start) low = middle + 1;
    else high = middle;
  }
  const spot = low - 1;
  const from = spotStarts[spot];
  if (from === undefined || least > from + SPOT_BYTES) return undefined;
  const to = Math.min(from + SPOT_BYTES, size);
  return spotBytes.subarray(spot * SPOT_BYTES + start - from, spot * SPOT_BYTES + to - from);
}
