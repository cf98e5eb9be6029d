// Text values as PS3.18 F.2.3 JSON. The usual value is ASCII without anything to escape: its bytes are copied. All
// else is decoded first and split at backslashes afterwards, since in GB18030 or Shift JIS a backslash may be half of a character.

import type { ByteWindow } from '../byte-window.js';
import type { CharacterSet } from '../charset/charset.js';
import { Kind, type Vr } from '../vr.js';
import { asciiBytes, type JsonBytes } from './json-bytes.js';
import { decimalJson, isJsonNumber } from './number-json.js';

const BACKSLASH = 0x5c;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const COMMA = 0x2c;
const SPACE = 0x20;
const CLOSE = 0x5d;
const VALUE = asciiBytes(',"Value":[');
const NULL = asciiBytes('null');
const ALPHABETIC = asciiBytes('{"Alphabetic":"');
const PERSON_END = asciiBytes('"}');

/** What a pass over the bytes of a value saw. */
const PLAIN = 0;
const SEVERAL = 1;
const SPECIAL = 2;

/** SPECIAL: something to escape or to decode. SEVERAL: a backslash. */
function survey(bytes: Uint8Array, start: number, end: number): number {
  let seen = PLAIN;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === BACKSLASH) seen = SEVERAL;
    else if (byte < SPACE || byte > 0x7e || byte === QUOTE) return SPECIAL;
  }
  return seen;
}

function isPad(byte: number | undefined): boolean {
  return byte === SPACE || byte === 0;
}

function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let to = end;
  while (to > start && isPad(bytes[to - 1])) to--;
  return to;
}

/** Removes trailing spaces and NULs, and leading spaces where PS3.5 6.2 calls them padding. */
function trimmed(text: string, leading: boolean): string {
  let from = 0;
  let to = text.length;
  while (to > 0 && isPad(text.charCodeAt(to - 1))) to--;
  while (leading && from < to && text.charCodeAt(from) === SPACE) from++;
  return from === 0 && to === text.length ? text : text.slice(from, to);
}

function leadingIsPad(vr: Vr): boolean {
  return vr.kind === Kind.CODE || vr.kind === Kind.NUMBER_TEXT || vr.name === 'LO' || vr.name === 'SH';
}

/** PS3.18 F.2.2: a person name is an object of up to three groups; groups without text are left out. */
function personJson(value: string): string {
  const [alphabetic = '', ideographic = '', ...rest] = value.split('=').map((group) => trimmed(group, false));
  const phonetic = rest.join('=');
  const parts: string[] = [];
  if (alphabetic !== '') parts.push(`"Alphabetic":${JSON.stringify(alphabetic)}`);
  if (ideographic !== '') parts.push(`"Ideographic":${JSON.stringify(ideographic)}`);
  if (phonetic !== '') parts.push(`"Phonetic":${JSON.stringify(phonetic)}`);
  return parts.length === 0 ? 'null' : `{${parts.join(',')}}`;
}

function oneJson(vr: Vr, value: string): string {
  if (vr.kind === Kind.PERSON) return personJson(value);
  if (vr.kind === Kind.NUMBER_TEXT) return decimalJson(value, vr.name === 'IS');
  return value === '' ? 'null' : JSON.stringify(value);
}

/** One value that is plain ASCII, its padding still on. */
function writePlain(out: JsonBytes, vr: Vr, bytes: Uint8Array, start: number, end: number, leading: boolean): void {
  const to = trimmedEnd(bytes, start, end);
  let from = start;
  if (leading) while (from < to && bytes[from] === SPACE) from++;
  if (from === to) {
    out.put(NULL);
  } else if (vr.kind === Kind.NUMBER_TEXT) {
    if (isJsonNumber(bytes, from, to, vr.name === 'IS')) out.copy(bytes, from, to);
    else out.ascii(decimalJson(Buffer.from(bytes.subarray(from, to)).toString('latin1'), vr.name === 'IS'));
  } else if (vr.kind !== Kind.PERSON) {
    out.byte(QUOTE);
    out.copy(bytes, from, to);
    out.byte(QUOTE);
  } else if (bytes.subarray(from, to).includes(EQUALS)) {
    out.ascii(personJson(Buffer.from(bytes.subarray(from, to)).toString('latin1')));
  } else {
    out.put(ALPHABETIC);
    out.copy(bytes, from, to);
    out.put(PERSON_END);
  }
}

function writeSeveral(out: JsonBytes, vr: Vr, bytes: Uint8Array, start: number, end: number): void {
  const leading = leadingIsPad(vr);
  let from = start;
  for (let at = start; at < end; at++) {
    if (bytes[at] !== BACKSLASH) continue;
    writePlain(out, vr, bytes, from, at, leading);
    out.byte(COMMA);
    from = at + 1;
  }
  writePlain(out, vr, bytes, from, end, leading);
}

/**
 * Writes `,"Value":[…]` of a text element; nothing when it has no value. `start` and `end` are indexes into the window's bytes.
 * `onMislabelled` is told when bytes cannot be of the labelled character set.
 */
export function writeText(
  out: JsonBytes,
  vr: Vr,
  window: ByteWindow,
  start: number,
  end: number,
  charset: CharacterSet,
  onMislabelled: (read: string) => void,
): void {
  const bytes = window.bytes;
  const to = trimmedEnd(bytes, start, end);
  if (to === start) return;
  const single = vr.kind === Kind.LONG_TEXT || vr.kind === Kind.URI;
  const seen = survey(bytes, start, to);
  out.put(VALUE);
  if (seen === PLAIN) writePlain(out, vr, bytes, start, to, leadingIsPad(vr));
  else if (seen === SEVERAL && !single) writeSeveral(out, vr, bytes, start, to);
  else {
    const text = decoded(vr, window, start, to, charset, onMislabelled);
    const leading = leadingIsPad(vr);
    const values = single ? [text] : text.split('\\').map((value) => trimmed(value, leading));
    values.forEach((value, at) => {
      if (at > 0) out.byte(COMMA);
      out.text(oneJson(vr, value));
    });
  }
  out.byte(CLOSE);
}

/** The text of a value field, whatever is in it. */
function decoded(
  vr: Vr,
  window: ByteWindow,
  start: number,
  end: number,
  charset: CharacterSet,
  onMislabelled: (read: string) => void,
): string {
  const bytes = window.bytes;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x1b || byte > 0x7e) {
      return charset.decode(bytes.subarray(start, end), vr.kind === Kind.PERSON, onMislabelled);
    }
  }
  return bytes.latin1Slice(start, end);
}

/** The values of an ASCII text element (UIDs, codes), padding removed; for the scanner's own use. */
export function asciiValues(window: ByteWindow, start: number, end: number): readonly string[] {
  const to = trimmedEnd(window.bytes, start, end);
  return window.bytes
    .latin1Slice(start, to)
    .split('\\')
    .map((value) => trimmed(value, true));
}
