// Text values as PS3.18 F.2.3 JSON. The usual value is ASCII without anything to escape: it is copied in one
// step. All else is decoded first and split at backslashes afterwards, since in GB18030 or Shift JIS a backslash may be half of a character.
import type { ByteWindow } from './byte-window.js';
import type { CharacterSet } from './charset.js';
import { decimalJson } from './number-json.js';
import { Kind, type Vr } from './vr.js';

const BACKSLASH = 0x5c;

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
    else if (byte < 0x20 || byte > 0x7e || byte === 0x22) return SPECIAL;
  }
  return seen;
}

function isPad(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0;
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
  while (leading && from < to && text.charCodeAt(from) === 0x20) from++;
  return from === 0 && to === text.length ? text : text.slice(from, to);
}

function leadingIsPad(vr: Vr): boolean {
  return vr.kind === Kind.CODE || vr.kind === Kind.NUMBER_TEXT || vr.name === 'LO' || vr.name === 'SH';
}

/** PS3.18 F.2.2: a person name is an object of up to three groups; groups without text are left out. */
function personJson(value: string, quote: (text: string) => string): string {
  if (value === '') return 'null';
  const [alphabetic = '', ideographic = '', ...rest] = value.split('=').map((group) => trimmed(group, false));
  const phonetic = rest.join('=');
  const parts: string[] = [];
  if (alphabetic !== '') parts.push(`"Alphabetic":${quote(alphabetic)}`);
  if (ideographic !== '') parts.push(`"Ideographic":${quote(ideographic)}`);
  if (phonetic !== '') parts.push(`"Phonetic":${quote(phonetic)}`);
  return parts.length === 0 ? 'null' : `{${parts.join(',')}}`;
}

const quotePlain = (text: string): string => `"${text}"`;
const quoteAny = (text: string): string => JSON.stringify(text);

function oneJson(vr: Vr, value: string, quote: (text: string) => string): string {
  if (vr.kind === Kind.PERSON) return personJson(value, quote);
  if (vr.kind === Kind.NUMBER_TEXT) return decimalJson(value, vr.name === 'IS');
  return value === '' ? 'null' : quote(value);
}

function severalJson(vr: Vr, text: string, quote: (text: string) => string): string {
  const leading = leadingIsPad(vr);
  const values = text.split('\\');
  // Person names are trimmed group by group.
  return values.map((value) => oneJson(vr, trimmed(value, leading), quote)).join(',');
}

/**
 * The JSON values of a text element, joined with commas; '' when it has none. `onMislabelled` is told when bytes cannot be of
 * the labelled character set.
 */
export function textJson(
  vr: Vr,
  window: ByteWindow,
  start: number,
  end: number,
  charset: CharacterSet,
  onMislabelled: (read: string) => void,
): string {
  const bytes = window.bytes;
  const to = trimmedEnd(bytes, start, end);
  if (to === start) return '';
  const single = vr.kind === Kind.LONG_TEXT || vr.kind === Kind.URI;
  const seen = survey(bytes, start, to);
  if (seen === PLAIN) {
    let from = start;
    if (bytes[from] === 0x20 && leadingIsPad(vr)) while (bytes[from] === 0x20) from++;
    const text = window.latin1(from, to);
    return vr.kind === Kind.PERSON || vr.kind === Kind.NUMBER_TEXT ? oneJson(vr, text, quotePlain) : `"${text}"`;
  }
  if (seen === SEVERAL && !single) return severalJson(vr, window.latin1(start, to), quotePlain);
  const text = decoded(vr, window, start, to, charset, onMislabelled);
  return single ? JSON.stringify(text) : severalJson(vr, text, quoteAny);
}

/** The text of a value field, whatever is in it, with its padding. */
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
  return window.latin1(start, end);
}

/** The values of an ASCII text element (UIDs, codes), padding removed; for the scanner's own use. */
export function asciiValues(window: ByteWindow, start: number, end: number): readonly string[] {
  const to = trimmedEnd(window.bytes, start, end);
  return window
    .latin1(start, to)
    .split('\\')
    .map((value) => trimmed(value, true));
}
