// A streaming multipart/related parser (RFC 2046 5.1): one pass of indexOf over the chunks as they come, part bodies
// handed on without a copy, never more held than one chunk and one part header. Back-pressure is the pull of the reader.
import { ArchiveError } from '../../tiering/core/errors.js';
import { HttpProblem } from '../problem.js';

/** One part. Its body must be read before the next part is asked for; what is left of it then is skipped. */
export interface Part {
  /** Names in lower case; of repeated headers the first. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface PartLimits {
  readonly partsMax: number;
  readonly partHeaderBytesMax: number;
  readonly partHeadersMax: number;
  readonly preambleBytesMax: number;
}

/** RFC 2046 5.1.1 bchars, 1 to 70 of them and no space at the end. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;

/** Checks the boundary parameter of a Content-Type. INVALID when it is missing or outside of the grammar. */
export function parseBoundary(text: string | undefined): string {
  if (text === undefined) throw new ArchiveError('INVALID', 'Content-Type multipart/related has no boundary parameter');
  if (!BOUNDARY.test(text)) {
    throw new ArchiveError('INVALID', 'the boundary parameter is not 1 to 70 characters of RFC 2046 5.1.1');
  }
  return text;
}

const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const HEADERS_END = Buffer.from('\r\n\r\n');
/** White space that may follow a boundary on its line. More than this is no boundary line. */
const PADDING_MAX = 128;

type Line = { readonly kind: 'part' | 'end'; readonly next: number } | { readonly kind: 'data' | 'unfinished' };

/** What follows a delimiter that was found: white space and a line end (a part), `--` (the end), or other data. */
function classifyLine(chunk: Buffer, after: number): Line {
  if (chunk[after] === DASH) {
    if (after + 1 >= chunk.length) return { kind: 'unfinished' };
    return chunk[after + 1] === DASH ? { kind: 'end', next: after + 2 } : { kind: 'data' };
  }
  let at = after;
  while (at < chunk.length && (chunk[at] === 0x20 || chunk[at] === 0x09)) at++;
  if (at - after > PADDING_MAX) return { kind: 'data' };
  if (at + 1 >= chunk.length) {
    return at >= chunk.length || chunk[at] === CR ? { kind: 'unfinished' } : { kind: 'data' };
  }
  return chunk[at] === CR && chunk[at + 1] === LF ? { kind: 'part', next: at + 2 } : { kind: 'data' };
}

/** How many bytes at the end of `chunk` may be the beginning of `delimiter`. */
function partialTail(chunk: Buffer, from: number, delimiter: Buffer): number {
  let at = Math.max(from, chunk.length - delimiter.length + 1);
  for (;;) {
    at = chunk.indexOf(CR, at);
    if (at < 0) return 0;
    if (chunk.compare(delimiter, 0, chunk.length - at, at, chunk.length) === 0) return chunk.length - at;
    at++;
  }
}

class Scanner {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #delimiter: Buffer;
  // RFC 2046 counts the CRLF before a boundary as part of it; one that opens the message has none, so it is lent one.
  #chunk: Buffer = Buffer.from('\r\n');
  #at = 0;
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>, boundary: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** Adds the next chunk behind what is not consumed. False at the end of the source. */
  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const next = await this.#source.next();
    if (next.done === true) {
      this.#ended = true;
      return false;
    }
    const bytes = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    this.#chunk = this.#at >= this.#chunk.length ? bytes : Buffer.concat([this.#chunk.subarray(this.#at), bytes]);
    this.#at = 0;
    return true;
  }

  /**
   * The bytes up to the next boundary line, piece by piece; after the last of them, that line is consumed.
   * Resolves to null when the source ends first.
   */
  async nextPiece(): Promise<{ readonly piece: Buffer; readonly line: 'part' | 'end' | null } | null> {
    let from = this.#at;
    for (;;) {
      const found = this.#chunk.indexOf(this.#delimiter, from);
      if (found < 0) {
        const keep = partialTail(this.#chunk, this.#at, this.#delimiter);
        const piece = this.#chunk.subarray(this.#at, this.#chunk.length - keep);
        this.#at += piece.length;
        if (piece.length > 0) return { piece, line: null };
        if (!(await this.#more())) return null;
        from = this.#at;
        continue;
      }
      const line = classifyLine(this.#chunk, found + this.#delimiter.length);
      if (line.kind === 'part' || line.kind === 'end') {
        const piece = this.#chunk.subarray(this.#at, found);
        this.#at = line.next;
        return { piece, line: line.kind };
      }
      if (line.kind === 'data') {
        from = found + 1;
        continue;
      }
      if (found > this.#at) {
        const piece = this.#chunk.subarray(this.#at, found);
        this.#at = found;
        return { piece, line: null };
      }
      if (!(await this.#more())) return null;
      from = this.#at;
    }
  }

  /** The header block of a part, with its closing empty line left to serve as the line end before a boundary. */
  async headerBlock(limits: PartLimits): Promise<string> {
    for (let from = this.#at; ; ) {
      if (this.#chunk.length - this.#at >= 2 && this.#chunk[this.#at] === CR && this.#chunk[this.#at + 1] === LF) {
        return '';
      }
      const end = this.#chunk.indexOf(HEADERS_END, from);
      if (end >= 0 && end - this.#at <= limits.partHeaderBytesMax) {
        const text = this.#chunk.toString('latin1', this.#at, end);
        this.#at = end + 2;
        return text;
      }
      const held = this.#chunk.length - this.#at;
      if (held > limits.partHeaderBytesMax) {
        throw new ArchiveError('LIMIT', `the headers of a part are longer than ${limits.partHeaderBytesMax} bytes`);
      }
      if (!(await this.#more())) throw new ArchiveError('INVALID', 'the body ends inside the headers of a part');
      from = Math.max(0, held - 3);
    }
  }

  /**
   * The body that follows `headerBlock`. The empty line before it stays in view, so that a body of nothing whose
   * boundary follows at once (one CRLF for both) is found empty.
   */
  async *body(end: (line: 'part' | 'end') => void): AsyncGenerator<Uint8Array> {
    let skip = 2;
    for (;;) {
      const next = await this.nextPiece();
      if (next === null) throw new ArchiveError('INVALID', 'the body ends without its closing boundary');
      const piece = next.piece.subarray(Math.min(skip, next.piece.length));
      skip -= next.piece.length - piece.length;
      if (next.line !== null) end(next.line);
      if (piece.length > 0) yield piece;
      if (next.line !== null) return;
    }
  }
}

function parseHeaders(block: string, limits: PartLimits): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  if (block === '') return headers;
  const lines = block.split('\r\n');
  if (lines.length > limits.partHeadersMax) {
    throw new ArchiveError('LIMIT', `a part has more than ${limits.partHeadersMax} headers`);
  }
  let last = '';
  for (const line of lines) {
    if (line.startsWith(' ') || line.startsWith('\t')) {
      headers.set(last, `${headers.get(last) ?? ''} ${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0) throw new ArchiveError('INVALID', 'a header of a part has no name');
    last = line.slice(0, colon).trim().toLowerCase();
    if (!headers.has(last)) headers.set(last, line.slice(colon + 1).trim());
  }
  return headers;
}

/**
 * Reads the parts of a multipart body in order. Throws INVALID for what is no multipart of this boundary, or when it ends
 * without the closing boundary (the body of the part that was cut throws the same), LIMIT when a limit is passed, and
 * whatever the source throws. Text before the first boundary is skipped; what follows the closing one is not read.
 */
export async function* readParts(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
  limits: PartLimits,
): AsyncGenerator<Part, void, void> {
  const scanner = new Scanner(source, boundary);
  let line: 'part' | 'end' | null = null;
  for (let skipped = 0; line === null; ) {
    const next = await scanner.nextPiece();
    if (next === null) throw new ArchiveError('INVALID', 'the boundary of the Content-Type does not occur in the body');
    skipped += next.piece.length;
    if (skipped > limits.preambleBytesMax) {
      throw new ArchiveError('INVALID', `no boundary within the first ${limits.preambleBytesMax} bytes of the body`);
    }
    line = next.line;
  }
  for (let count = 1; line === 'part'; count++) {
    if (count > limits.partsMax) {
      throw new HttpProblem(413, `the request has more than ${limits.partsMax} parts`, { code: 'LIMIT' });
    }
    const headers = parseHeaders(await scanner.headerBlock(limits), limits);
    let closing: 'part' | 'end' | null = null;
    const onEnd = (found: 'part' | 'end') => {
      closing = found;
    };
    yield { headers, body: scanner.body(onEnd) };
    // What the consumer did not read of this body is skipped here, through a generator of its own: the consumer may have
    // closed the first one. Its two lent bytes have gone with the first piece, if there was one.
    while (closing === null) {
      const next = await scanner.nextPiece();
      if (next === null) throw new ArchiveError('INVALID', 'the body ends without its closing boundary');
      closing = next.line;
    }
    line = closing;
  }
}
