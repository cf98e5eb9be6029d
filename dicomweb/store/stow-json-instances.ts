// Takes the array of PS3.18 10.5.2 apart into the JSON texts of its instances while it comes in, so that no more of it is held
// than one. One object without an array around it is taken too.
import { ArchiveError } from '../../tiering/core/errors.js';
import { HttpProblem } from '../problem.js';
import type { Held } from './stow-held.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const MARK = [0xef, 0xbb, 0xbf];

function malformed(what: string): ArchiveError {
  return new ArchiveError('INVALID', `the metadata is not a JSON array of data sets: ${what}`);
}

/** The text of UTF-8 bytes. INVALID when they are not. */
export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ArchiveError('INVALID', 'the metadata is not in UTF-8');
  }
}

/** LIMIT (413), for metadata of more than `max` bytes. */
export function tooLong(max: number): HttpProblem {
  return new HttpProblem(413, `the metadata of one instance may have ${max} bytes at most`, { code: 'LIMIT' });
}

class Splitter {
  /** What may come at depth 0. */
  #expected: 'start' | 'first' | 'next' | 'separator' | 'end' = 'start';
  #isArray = false;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #marked = 0;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  readonly #max: number;
  readonly #held: Held;

  constructor(max: number, held: Held) {
    this.#max = max;
    this.#held = held;
  }

  /** The objects that end in `chunk`. */
  *feed(chunk: Uint8Array): Generator<Uint8Array, void, void> {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#depth === 0) {
        if (byte === OPEN) start = at;
        this.#outside(byte);
      } else if (this.#inside(byte)) {
        this.#keep(chunk.subarray(start, at + 1));
        const whole = Buffer.concat(this.#pieces);
        this.#pieces = [];
        yield whole;
        this.#held.give(this.#bytes);
        this.#bytes = 0;
      }
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(start));
  }

  finish(): void {
    if (this.#depth > 0) throw malformed('it ends inside of an object');
    if (this.#expected !== 'end') throw malformed('it ends before its array does');
  }

  #keep(bytes: Uint8Array): void {
    if (this.#bytes + bytes.length > this.#max) throw tooLong(this.#max);
    this.#held.take(bytes.length);
    this.#bytes += bytes.length;
    this.#pieces.push(Buffer.from(bytes));
  }

  #outside(byte: number): void {
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return;
    const expected = this.#expected;
    if (expected === 'start' && byte === MARK[this.#marked]) this.#marked++;
    else if (byte === OPEN && (expected === 'start' || expected === 'first' || expected === 'next')) {
      this.#expected = this.#isArray ? 'separator' : 'end';
      this.#depth = 1;
    } else if (byte === OPEN_LIST && expected === 'start') {
      this.#isArray = true;
      this.#expected = 'first';
    } else if (byte === COMMA && expected === 'separator') this.#expected = 'next';
    else if (byte === CLOSE_LIST && (expected === 'first' || expected === 'separator')) this.#expected = 'end';
    else throw malformed('something between its data sets');
  }

  /** True when the object ends with this byte. */
  #inside(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return false;
    }
    if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN || byte === OPEN_LIST) this.#depth++;
    else if (byte === CLOSE || byte === CLOSE_LIST) this.#depth--;
    return this.#depth === 0;
  }
}

/**
 * The bytes of each object, as it ends. INVALID for what is no array of objects, LIMIT for one of more than `max` bytes, and what
 * `body` and `held` throw.
 */
export async function* jsonInstances(
  body: AsyncIterable<Uint8Array>,
  max: number,
  held: Held,
): AsyncGenerator<Uint8Array, void, void> {
  const splitter = new Splitter(max, held);
  for await (const chunk of body) yield* splitter.feed(chunk);
  splitter.finish();
}
