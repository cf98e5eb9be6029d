// The JSON text while it grows: pieces are made flat as they fill, so that a million elements do not
// become a million-node rope, and its length is bounded.
import { DicomError } from './dicom-error.js';
import { JSON_CHARS_MAX } from './limits.js';

const PIECE_CHARS = 128 * 1024;

export class JsonText {
  readonly #pieces: string[] = [];
  #tail = '';
  #flushed = 0;

  /** Characters written so far. */
  get length(): number {
    return this.#flushed + this.#tail.length;
  }

  push(text: string): void {
    this.#tail += text;
    if (this.#tail.length > PIECE_CHARS) this.#flush();
  }

  /** Everything written, flat. */
  text(): string {
    if (this.#pieces.length === 0) return this.#tail;
    this.#pieces.push(this.#tail);
    this.#tail = '';
    return this.#pieces.join('');
  }

  #flush(): void {
    // Reading a character makes V8 lay the rope out flat.
    this.#tail.charCodeAt(0);
    this.#pieces.push(this.#tail);
    this.#flushed += this.#tail.length;
    this.#tail = '';
    if (this.#flushed > JSON_CHARS_MAX) {
      throw new DicomError('LIMIT', `its metadata is longer than ${JSON_CHARS_MAX} characters as JSON`);
    }
  }
}
