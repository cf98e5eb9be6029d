// Edits the objects of a PS3.18 JSON array while its text passes: puts one attribute into each and leaves out those that were not
// asked for. Nothing is parsed: numbers keep their digits, and a study of thousands costs one look at each byte.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA_CODE = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COMMA = Buffer.from(',');
/** `"00080018":` */
const KEY_BYTES = 11;
const SOP_INSTANCE_UID = '00080018';
/** `{"vr":"UI","Value":["` and 64 characters: a longer one is no UID. */
const UID_MEMBER_BYTES_MAX = 256;

export interface MetadataEdit {
  /** Attributes to keep; null: all. */
  readonly keep: ReadonlySet<string> | null;
  /** An attribute to add, in place of what had its tag; its value as JSON text for the instance of a SOP Instance UID, or null. */
  readonly add: { readonly tag: string; readonly value: (sop: string) => string | null } | null;
}

/** Between objects; in an object where a member or its end comes next; in the value of a member. */
type Place = 'array' | 'key' | 'value';

class Editor {
  readonly #edit: MetadataEdit;
  #place: Place = 'array';
  #depth = 0;
  #ended = false;
  #inString = false;
  #escaped = false;
  /** Bytes of a chunk that could not be decided on yet. */
  #carry: Buffer = Buffer.alloc(0);
  /** Of the object that is open. */
  #kept = 0;
  #added = false;
  #sop = '';
  #sopText: string | null = null;
  /** Whether the bytes that were passed last are going out, so that what follows them needs no comma of ours. */
  #running = true;

  constructor(edit: MetadataEdit) {
    this.#edit = edit;
  }

  *push(incoming: Buffer): Generator<Buffer, void, void> {
    const chunk = this.#carry.length === 0 ? incoming : Buffer.concat([this.#carry, incoming]);
    this.#carry = Buffer.alloc(0);
    // [run, settled) is to be sent; between settled and `at` lies at most a comma.
    let run = 0;
    let settled = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#place === 'array') {
        const open = chunk.indexOf(OPEN, at);
        at = open < 0 ? chunk.length : open + 1;
        settled = at;
        if (open >= 0) this.#openObject();
        continue;
      }
      if (this.#place === 'value') {
        const from = at;
        at = this.#passValue(chunk, at);
        if (this.#sopText !== null)
          this.#sopText += chunk.toString('latin1', from, Math.min(at, from + UID_MEMBER_BYTES_MAX));
        if (this.#ended) this.#endValue();
        settled = at;
        if (!this.#running) run = at;
        continue;
      }
      const code = chunk[at];
      if (code === COMMA_CODE) {
        at++;
        continue;
      }
      const tag = code === QUOTE ? this.#keyAt(chunk, at) : '';
      if (tag === null) break;
      const addition = this.#additionBefore(code === CLOSE ? '~' : tag);
      const keeps = code !== QUOTE || this.#keeps(tag);
      if (addition !== null || !keeps) {
        if (this.#running && settled > run) yield chunk.subarray(run, settled);
        this.#running = false;
      }
      if (addition !== null) {
        if (this.#kept > 0) yield COMMA;
        yield addition;
        this.#kept++;
      }
      if (keeps && !this.#running) {
        if (this.#kept > 0 && code === QUOTE) yield COMMA;
        run = at;
        this.#running = true;
      }
      if (code === QUOTE) {
        if (keeps) this.#kept++;
        this.#sopText = tag === SOP_INSTANCE_UID ? '' : null;
        this.#place = 'value';
        this.#depth = 0;
        at += KEY_BYTES;
      } else {
        this.#place = 'array';
        at++;
      }
      settled = at;
    }
    if (this.#running && settled > run) yield chunk.subarray(run, settled);
    if (settled < chunk.length) this.#carry = chunk.subarray(settled);
  }

  *end(): Generator<Buffer, void, void> {
    if (this.#carry.length > 0) yield this.#carry;
  }

  #openObject(): void {
    this.#place = 'key';
    this.#kept = 0;
    this.#added = false;
    this.#sop = '';
    this.#running = true;
  }

  /** The tag of the key at `at`; null when the chunk ends inside of it. */
  #keyAt(chunk: Buffer, at: number): string | null {
    return at + KEY_BYTES > chunk.length ? null : chunk.toString('latin1', at + 1, at + 9);
  }

  #keeps(tag: string): boolean {
    const { keep, add } = this.#edit;
    if (add !== null && tag === add.tag && this.#added) return false;
    return keep === null || keep.has(tag);
  }

  /** What is due before `tag`, once for each object. */
  #additionBefore(tag: string): Buffer | null {
    const { add } = this.#edit;
    if (add === null || this.#added || tag < add.tag) return null;
    const value = add.value(this.#sop);
    if (value === null) return null;
    this.#added = true;
    return Buffer.from(`"${add.tag}":${value}`);
  }

  #endValue(): void {
    this.#place = 'key';
    this.#ended = false;
    if (this.#sopText !== null) this.#sop = /"Value":\["([0-9.]{1,64})"/.exec(this.#sopText)?.[1] ?? '';
    this.#sopText = null;
  }

  /** Where the value ends, or the chunk. */
  #passValue(chunk: Buffer, from: number): number {
    let at = from;
    for (; at < chunk.length; at++) {
      const code = chunk[at];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (code === BACKSLASH) this.#escaped = true;
        else if (code === QUOTE) this.#inString = false;
      } else if (code === QUOTE) this.#inString = true;
      else if (code === OPEN || code === OPEN_LIST) this.#depth++;
      else if (code === CLOSE || code === CLOSE_LIST) {
        this.#depth--;
        this.#ended = this.#depth === 0;
        if (this.#ended) return at + 1;
      }
    }
    return at;
  }
}

/** The text of a JSON array of DICOM objects, edited. Text that is none comes out as it went in, or cut: it is never read beyond. */
export async function* editMetadata(
  chunks: AsyncIterable<Buffer>,
  edit: MetadataEdit,
): AsyncGenerator<Buffer, void, void> {
  const editor = new Editor(edit);
  for await (const chunk of chunks) yield* editor.push(chunk);
  yield* editor.end();
}
