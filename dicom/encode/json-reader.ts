// Reads one PS3.18 Annex F data set from JSON text. Not JSON.parse: numbers keep their digits, attributes named twice are
// found, no name can reach a prototype, depth costs memory and not call stack, and a long text is read in steps.
import { ArchiveError } from '../../tiering/core/errors.js';
import { type DataSet, type Element, inOrder } from './element.js';
import { elementOf, type ReadAttribute, refuse } from './read-value.js';

/** Attributes, members and values between two steps: well below a millisecond. */
const STEP = 1024;
const TAG = /^[0-9A-Fa-f]{8}$/;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const NAME_GROUPS = ['Alphabetic', 'Ideographic', 'Phonetic'] as const;

interface OpenDataSet {
  readonly kind: 'dataSet';
  first: boolean;
  readonly elements: Map<number, Element>;
}

interface OpenAttribute {
  readonly kind: 'attribute' | 'values';
  first: boolean;
  readonly read: {
    readonly tag: number;
    vr: string | null;
    readonly values: (string | DataSet | null)[];
    numeric: boolean;
    base64: string | null;
    uri: string | null;
  };
  /** Its vr was given; its value was, in whatever form. */
  hasVr: boolean;
  hasValue: boolean;
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  readonly #open: (OpenDataSet | OpenAttribute)[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  *read(): Generator<void, DataSet, void> {
    this.#expect('{');
    this.#open.push({ kind: 'dataSet', first: true, elements: new Map() });
    for (let step = 1; ; step++) {
      if (step % STEP === 0) yield;
      const top = this.#open.at(-1);
      if (top === undefined) throw this.#malformed('an end too many');
      if (top.kind === 'dataSet') {
        const done = this.#dataSetMember(top);
        if (done !== null) return done;
      } else if (top.kind === 'attribute') this.#attributeMember(top);
      else this.#value(top);
    }
  }

  /** The next attribute of a data set, or its end. The whole data set when it was the outermost. */
  #dataSetMember(top: OpenDataSet): DataSet | null {
    const name = this.#memberName(top);
    if (name !== null) {
      if (!TAG.test(name)) throw this.#malformed('an attribute whose name is not eight hexadecimal digits');
      const tag = Number.parseInt(name, 16);
      if (top.elements.has(tag)) throw refuse(tag, 'two values');
      this.#expect('{');
      const read = { tag, vr: null, values: [], numeric: false, base64: null, uri: null };
      this.#open.push({ kind: 'attribute', first: true, read, hasVr: false, hasValue: false });
      return null;
    }
    this.#open.pop();
    const dataSet = inOrder([...top.elements.values()]);
    const parent = this.#open.at(-1);
    if (parent === undefined) {
      this.#skipSpace();
      if (this.#at < this.#text.length) throw this.#malformed('something after the data set');
      return dataSet;
    }
    if (parent.kind !== 'dataSet') parent.read.values.push(dataSet);
    return null;
  }

  #attributeMember(top: OpenAttribute): void {
    const name = this.#memberName(top);
    if (name === null) {
      this.#open.pop();
      const parent = this.#open.at(-1);
      if (parent?.kind === 'dataSet') parent.elements.set(top.read.tag, elementOf(top.read as ReadAttribute));
      return;
    }
    const { read } = top;
    if (name === 'vr') {
      if (top.hasVr) throw refuse(read.tag, 'a vr twice');
      top.hasVr = true;
      this.#skipSpace();
      read.vr = this.#string();
      return;
    }
    if (name !== 'Value' && name !== 'InlineBinary' && name !== 'BulkDataURI') {
      throw refuse(read.tag, 'a member that is none of vr, Value, InlineBinary, BulkDataURI');
    }
    if (top.hasValue) throw refuse(read.tag, 'more than one value');
    top.hasValue = true;
    this.#skipSpace();
    if (this.#skipWord('null')) return;
    if (name === 'InlineBinary') read.base64 = this.#string();
    else if (name === 'BulkDataURI') read.uri = this.#string();
    else {
      this.#expect('[');
      this.#open.push({ kind: 'values', first: true, read, hasVr: true, hasValue: true });
    }
  }

  #value(top: OpenAttribute): void {
    this.#skipSpace();
    const { read } = top;
    if (this.#text[this.#at] === ']') {
      this.#at++;
      this.#open.pop();
      return;
    }
    if (!top.first) {
      this.#expect(',');
      this.#skipSpace();
    }
    top.first = false;
    const next = this.#text[this.#at];
    if (next === '"') read.values.push(this.#string());
    else if (next === '{') this.#object(read);
    else if (this.#skipWord('null')) read.values.push(null);
    else {
      NUMBER.lastIndex = this.#at;
      const found = NUMBER.exec(this.#text)?.[0];
      if (found === undefined) throw this.#malformed('a value that DICOM JSON does not have');
      this.#at += found.length;
      read.values.push(found);
      read.numeric = true;
    }
  }

  /** An item, or a person name: the first member tells. */
  #object(read: { readonly tag: number; readonly values: (string | DataSet | null)[] }): void {
    this.#expect('{');
    const inside = this.#at;
    const frame = { first: true };
    const name = this.#memberName(frame);
    if (name === null || TAG.test(name)) {
      this.#at = inside;
      this.#open.push({ kind: 'dataSet', first: true, elements: new Map() });
      return;
    }
    const groups = ['', '', ''];
    for (let each: string | null = name; each !== null; each = this.#memberName(frame)) {
      const at = NAME_GROUPS.indexOf(each as (typeof NAME_GROUPS)[number]);
      if (at < 0) throw refuse(read.tag, 'an object that is neither an item nor a person name');
      this.#skipSpace();
      if (!this.#skipWord('null')) groups[at] = this.#string();
    }
    read.values.push(groups.join('=').replace(/=+$/, ''));
  }

  /** The name of the next member with its colon behind it; null at the end of the object, which is consumed. */
  #memberName(frame: { first: boolean }): string | null {
    this.#skipSpace();
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return null;
    }
    if (!frame.first) {
      this.#expect(',');
      this.#skipSpace();
    }
    frame.first = false;
    const name = this.#string();
    this.#expect(':');
    return name;
  }

  #string(): string {
    if (this.#text[this.#at] !== '"') throw this.#malformed('something where a string should be');
    const start = this.#at;
    let escaped = false;
    for (let at = start + 1; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === 0x22) {
        this.#at = at + 1;
        if (!escaped) return this.#text.slice(start + 1, at);
        return this.#unescaped(this.#text.slice(start, at + 1));
      }
      if (code < 0x20) break;
      if (code !== 0x5c) continue;
      escaped = true;
      at++;
    }
    throw this.#malformed('a string that does not end');
  }

  #unescaped(quoted: string): string {
    try {
      return JSON.parse(quoted) as string;
    } catch {
      throw this.#malformed('a string with an escape that JSON does not have');
    }
  }

  #skipWord(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #expect(char: string): void {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) throw this.#malformed(`something else where ${char} should be`);
    this.#at++;
  }

  #skipSpace(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }

  #malformed(what: string): ArchiveError {
    return new ArchiveError('INVALID', `the metadata is not DICOM JSON: ${what}, at character ${this.#at}`);
  }
}

/** Reads the one object that `text` is, in steps. INVALID for what is no PS3.18 Annex F data set. */
export function readJson(text: string): Generator<void, DataSet, void> {
  return new JsonReader(text).read();
}
