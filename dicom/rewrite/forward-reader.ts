// Reads bytes once, from front to back, as they come: enough of them at hand for the next header, the rest passed on in the
// pieces that it came in. What need not be read is skipped.
import { invariant } from '../../tiering/core/errors.js';
import { type FastBuffer, fastBuffer } from '../byte-window.js';

const NOTHING = fastBuffer(new Uint8Array(0));

/** Where the bytes come from. */
export interface Bytes {
  /** Pieces from offset `start` on; each is the reader's own. They may end early: then more is asked for from where they ended. */
  open(start: number): AsyncIterable<Uint8Array>;
  /** Whether `open` may be called with any offset; else only once, with 0. */
  readonly seekable: boolean;
}

export class ForwardReader {
  /** What is at hand. An index that `at` gave is valid until the next call. */
  bytes: FastBuffer = NOTHING;
  /** Offset of the next byte. */
  position = 0;
  readonly #source: Bytes;
  /** Index of the next byte in `bytes`. */
  #index = 0;
  #pieces: AsyncIterator<Uint8Array> | null = null;

  constructor(source: Bytes) {
    this.#source = source;
  }

  /** Bytes at hand. */
  get buffered(): number {
    return this.bytes.length - this.#index;
  }

  /** Brings `count` bytes to hand; returns how many of them there are, fewer only at the end. */
  async fill(count: number): Promise<number> {
    while (this.buffered < count) {
      const { buffered } = this;
      this.#pieces ??= this.#source.open(this.position + buffered)[Symbol.asyncIterator]();
      const next = await this.#pieces.next();
      if (next.done === true) return buffered;
      const rest = this.bytes.subarray(this.#index);
      this.bytes = buffered === 0 ? fastBuffer(next.value) : fastBuffer(Buffer.concat([rest, next.value]));
      this.#index = 0;
    }
    return count;
  }

  /** The index in `bytes` of `start`; `[start, start + count)` is at hand. As ByteWindow.at. */
  at(start: number, count: number): number {
    const index = this.#index + start - this.position;
    invariant(index >= this.#index && index + count <= this.bytes.length, 'a header is read before its bytes came');
    return index;
  }

  /** Passes `count` bytes that are at hand and gives them. */
  take(count: number): FastBuffer {
    const taken = this.bytes.subarray(this.#index, this.#index + count) as FastBuffer;
    this.#index += count;
    this.position += count;
    // What is passed on whole is its taker's, who may give its memory back: it is not looked at again.
    if (this.buffered === 0) {
      this.bytes = NOTHING;
      this.#index = 0;
    }
    return taken;
  }

  /** Passes what is before `offset`. Returns false when the bytes end before it. */
  async skip(offset: number): Promise<boolean> {
    for (;;) {
      const count = Math.min(offset - this.position, this.buffered);
      this.#index += count;
      this.position += count;
      if (this.position === offset) return true;
      if (this.#source.seekable) {
        await this.close();
        this.bytes = NOTHING;
        this.#index = 0;
        this.position = offset;
        return true;
      }
      if ((await this.fill(1)) === 0) return false;
    }
  }

  /** Everything from here to the end. */
  async *rest(): AsyncGenerator<Uint8Array, void, void> {
    while (this.buffered > 0 || (await this.fill(1)) > 0) yield this.take(this.buffered);
  }

  /** Tells the source that nothing more will be asked of it. */
  async close(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = null;
    await pieces?.return?.();
  }
}
