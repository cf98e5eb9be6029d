// Specific Character Set (0008,0005), PS3.3 C.12.1.1.2: from bytes to text, for every set DICOM names and for
// the wrong labels that hospitals really have. Never throws; bytes that mean nothing become U+FFFD.
import { isPlausibleGbk, isUtf8WithMultibyte } from './charset-guess.js';
import { decodeAs, decodeIso2022 } from './iso2022.js';

/** Reads text of one data set or item. */
export interface CharacterSet {
  /** Why the label itself is odd (unknown, or combined in a way DICOM does not have), or null. */
  readonly complaint: string | null;
  /**
   * Decodes a value field with non-ASCII bytes or escapes in it. `person`: PN. `onMislabelled` is told when the bytes cannot be of
   * the labelled set and were read as another one.
   */
  decode(bytes: Buffer, person: boolean, onMislabelled: (read: string) => void): string;
}

/** Single-byte sets by ISO-IR number, as the platform calls them. */
const SINGLE: ReadonlyMap<string, string> = new Map([
  ['100', 'iso-8859-1'],
  ['101', 'iso-8859-2'],
  ['109', 'iso-8859-3'],
  ['110', 'iso-8859-4'],
  ['126', 'iso-8859-7'],
  ['127', 'iso-8859-6'],
  ['138', 'iso-8859-8'],
  ['144', 'iso-8859-5'],
  ['148', 'windows-1254'],
  ['166', 'windows-874'],
  ['203', 'iso-8859-15'],
  ['13', 'shift_jis'],
  ['192', 'utf-8'],
]);
const EXTENSION_ONLY: ReadonlySet<string> = new Set(['87', '159', '149', '58']);
const WHOLE: ReadonlyMap<string, string> = new Map([
  ['GB18030', 'gb18030'],
  ['GBK', 'gbk'],
  ['GB2312', 'gbk'],
  ['UTF-8', 'utf-8'],
  ['UTF8', 'utf-8'],
]);

interface Term {
  /** ISO-IR number, '' for the default repertoire, null when unknown. */
  readonly registration: string | null;
  readonly whole: string | null;
}

/** One value of (0008,0005); takes the spellings that occur: `ISO-IR 100`, `ISO IR 100`, `ISO_IR_100`, `ISO2022IR87`. */
function termOf(value: string): Term {
  const text = value.trim().toUpperCase();
  const whole = WHOLE.get(text);
  if (whole !== undefined) return { registration: null, whole };
  const match = /^ISO[ _-]?(?:2022[ _-]?)?IR[ _-]?(\d{1,3})$/.exec(text);
  const registration = text === '' ? '' : match === null ? null : (match[1] ?? null);
  if (registration === '6' || registration === '') return { registration: '', whole: null };
  if (registration !== null && (SINGLE.has(registration) || EXTENSION_ONLY.has(registration))) {
    return { registration, whole: registration === '192' ? 'utf-8' : null };
  }
  return { registration: null, whole: null };
}

/** Labels under which bytes of other sets are found: nothing at all, the default repertoire, and Latin-1. */
function guessing(label: string, complaint: string | null): CharacterSet {
  return {
    complaint,
    decode(bytes, person, onMislabelled) {
      if (bytes.includes(0x1b)) return decodeIso2022(bytes, [label], person);
      if (isUtf8WithMultibyte(bytes)) {
        onMislabelled('UTF-8');
        return decodeAs('utf-8', bytes);
      }
      if (isPlausibleGbk(bytes)) {
        onMislabelled('GBK');
        return decodeAs('gb18030', bytes);
      }
      if (label !== '100') onMislabelled('ISO_IR 100');
      return decodeAs('iso-8859-1', bytes);
    },
  };
}

function whole(label: string, complaint: string | null): CharacterSet {
  return { complaint, decode: (bytes) => decodeAs(label, bytes) };
}

function make(values: readonly string[]): CharacterSet {
  const terms = values.map(termOf);
  const unknown = terms.some((term) => term.registration === null && term.whole === null);
  const known = terms.filter((term) => term.registration !== null || term.whole !== null);
  const complaint = unknown ? 'Specific Character Set has a value that DICOM does not define' : null;
  const multibyte = known.find((term) => term.whole !== null);
  if (multibyte?.whole !== undefined && multibyte.whole !== null) {
    const combined = known.length > 1 ? 'Specific Character Set combines a set that allows no code extension' : null;
    return whole(multibyte.whole, complaint ?? combined);
  }
  const registrations = known.map((term) => term.registration ?? '');
  const first = registrations[0] ?? '';
  if (registrations.length <= 1 && (first === '' || first === '100')) return guessing(first, complaint);
  const label = SINGLE.get(first);
  return {
    complaint,
    decode(bytes, person) {
      if (registrations.length <= 1 && label !== undefined && !bytes.includes(0x1b)) return decodeAs(label, bytes);
      return decodeIso2022(bytes, registrations, person);
    },
  };
}

/** Labels seen, so that the usual instance makes none. Bounded: a label is at most 16 characters by its VR, and hostile ones are not kept. */
const made = new Map<string, CharacterSet>();
const MADE_MAX = 64;

/** The character set named by the values of (0008,0005); none: absent. */
export function characterSetOf(values: readonly string[]): CharacterSet {
  const key = values.join('\\');
  const found = made.get(key);
  if (found !== undefined) return found;
  const set = make(values);
  if (made.size < MADE_MAX && key.length <= 256) made.set(key, set);
  return set;
}
