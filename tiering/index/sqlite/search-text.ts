// Which texts of a study and a series the index keeps beside their JSON to find them by, and how any part of a
// text is turned into a full-text query. All of it only narrows: dicom/match/matching.ts has the last word.
import { fold, trim } from '../../../dicom/match/match-text.js';
import { normalDate } from '../../../dicom/match/match-time.js';
import { groupsOf } from '../../../dicom/match/matching.js';
import { nameKeyWords, nameTokens } from '../../../dicom/match/name-tokens.js';

/** A text longer than this is not indexed; its study is marked odd and looked at by every query. */
const TEXT_CHARACTERS_MAX = 1_000;
const GRAM = 3;

export interface StudyColumns {
  /** YYYYMMDD, empty when there is none. */
  readonly date: string;
  readonly accession: string | null;
  readonly patient: string | null;
  /** The columns cannot stand for the values (several values, other types, overlong): queries must not narrow by them. */
  readonly odd: boolean;
  readonly search: SearchTokens;
  readonly names: NameColumns;
}

/** What the names of a study are found by fuzzily: dicom/match/name-tokens.ts. */
export interface NameColumns {
  readonly name: string;
  readonly referring: string;
}

export interface SearchTokens {
  readonly name: string;
  readonly referring: string;
  readonly description: string;
  readonly patient: string;
  readonly accession: string;
}

export interface SeriesColumns {
  readonly modality: string | null;
  readonly odd: boolean;
}

type Element = { readonly vr?: unknown; readonly Value?: unknown };

function parseObject(json: string): Record<string, Element> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, Element>) : {};
  } catch {
    return {};
  }
}

function valuesOf(object: Record<string, Element>, tag: string): readonly unknown[] {
  const value = object[tag]?.Value;
  return Array.isArray(value) ? value : [];
}

/** The one text of an attribute; `odd` when it has more than that. */
function single(values: readonly unknown[]): { readonly text: string | null; readonly odd: boolean } {
  const given = values.filter((value) => value !== null && value !== undefined);
  const first = given[0];
  if (first === undefined) return { text: null, odd: false };
  if (given.length > 1 || typeof first !== 'string') return { text: null, odd: true };
  return { text: trim(first), odd: false };
}

function allText(values: readonly unknown[]): string {
  const parts: string[] = [];
  for (const value of values) {
    if (typeof value === 'string') parts.push(value);
    else if (typeof value === 'object' && value !== null) {
      for (const group of Object.values(value)) if (typeof group === 'string') parts.push(group);
    }
  }
  return parts.join('_');
}

export function studyColumns(json: string): StudyColumns {
  const object = parseObject(json);
  const date = single(valuesOf(object, '00080020'));
  const accession = single(valuesOf(object, '00080050'));
  const patient = single(valuesOf(object, '00100020'));
  const texts = ['00100010', '00080090', '00081030', '00100020', '00080050'].map((tag) =>
    allText(valuesOf(object, tag)),
  );
  const long = texts.some((text) => text.length > TEXT_CHARACTERS_MAX);
  const [name, referring, description, patientTokens, accessionTokens] = texts.map((text) =>
    long ? '' : tokensOf(text),
  );
  return {
    date: date.text === null ? '' : (normalDate(date.text) ?? ''),
    accession: accession.text,
    patient: patient.text,
    odd: date.odd || accession.odd || patient.odd || long,
    search: {
      name: name ?? '',
      referring: referring ?? '',
      description: description ?? '',
      patient: patientTokens ?? '',
      accession: accessionTokens ?? '',
    },
    names: namesOf(object, long),
  };
}

/** The names alone, of a study whose other columns are there already. */
export function nameColumns(json: string): NameColumns {
  return studyColumns(json).names;
}

function namesOf(object: Record<string, Element>, long: boolean): NameColumns {
  const tokens = (tag: string) => {
    const all = long ? [] : valuesOf(object, tag).flatMap((value) => [...nameTokens(groupsOf(value))]);
    return [...new Set(all)].join(' ');
  };
  return { name: tokens('00100010'), referring: tokens('00080090') };
}

/** An FTS5 expression that finds every name that has all words of `key` (dicom/match/match-name.ts). Null when nothing can be looked up. */
export function nameExpression(column: keyof NameColumns, key: string): string | null {
  const words = nameKeyWords(key).map(({ beginnings, sounds, pattern }) => {
    const fixed = pattern === null ? [] : (/^[^*?]+/.exec(pattern) ?? []);
    if (pattern !== null && fixed.length === 0) return null;
    const begin = [...beginnings, ...fixed].map((one) => `${column} : "${one}" *`);
    return `(${[...begin, ...sounds.map((one) => `${column} : "${one}"`)].join(' OR ')})`;
  });
  return words.length === 0 || words.includes(null) ? null : words.join(' AND ');
}

export function seriesColumns(json: string): SeriesColumns {
  const modality = single(valuesOf(parseObject(json), '00080060'));
  return { modality: modality.text === '' ? null : modality.text, odd: modality.odd };
}

const NUMBERS: ReadonlySet<string> = new Set(['IS', 'US', 'UL', 'SS', 'SL']);
const DECIMAL = /^\d{1,10}$/;
const LITERAL: ReadonlySet<string> = new Set(['AE', 'AS', 'CS', 'LO', 'LT', 'SH', 'ST', 'UC', 'UI', 'UR', 'UT']);

/**
 * Texts one of which the JSON of a level contains wherever it has a value of `vr` that matches `value`. Empty when there is no
 * saying: numbers, times and names may be written otherwise than in the key.
 */
export function fixedTexts(vr: string, value: string): readonly string[] {
  if (vr === 'DA') {
    const date = normalDate(value);
    return date === null ? [] : [date, `${date.slice(0, 4)}.${date.slice(4, 6)}.${date.slice(6)}`];
  }
  // Numbers are stored in their shortest form (dicom/json/number-json.ts).
  if (NUMBERS.has(vr)) return DECIMAL.test(trim(value)) ? [String(Number(value))] : [];
  if (!LITERAL.has(vr)) return [];
  // Quotes, backslashes and what is beyond ASCII may be written in more than one way.
  const parts = trim(value).split(vr === 'UI' || vr === 'AS' ? UNSURE : UNSURE_OR_WILD);
  const longest = parts.reduce((long, part) => (part.length > long.length ? part : long), '');
  return longest.length < 2 ? [] : [longest];
}

const SURE = " !#$%&'()+,.:;<=>@\\[\\]^_`{|}~A-Za-z0-9-";
const UNSURE = new RegExp(`[^${SURE}*?]+`);
const UNSURE_OR_WILD = new RegExp(`[^${SURE}]+`);

/** Characters as the full-text index keeps them: folded, and every ASCII character but letters and digits as `_`. */
function charactersOf(text: string): string[] {
  return Array.from(fold(text), (one) => (isWordCharacter(one) ? one : '_'));
}

function isWordCharacter(character: string): boolean {
  return character.charCodeAt(0) > 0x7f || /^[0-9a-z]$/.test(character);
}

/** Every three characters in a row, and the shorter ends: `abcd` gives `abc bcd cd d`. */
export function tokensOf(text: string): string {
  const characters = charactersOf(text);
  return characters.map((_, at) => characters.slice(at, at + GRAM).join('')).join(' ');
}

/**
 * An FTS5 expression that finds every text of `column` that contains `part`, case and accents apart (and a few more). Null
 * when that would be nearly all of them: a single letter or digit.
 */
export function containsExpression(column: keyof SearchTokens, part: string): string | null {
  const characters = charactersOf(part);
  const [only] = characters;
  if (only === undefined || (characters.length === 1 && only.charCodeAt(0) < 0x80)) return null;
  // Nothing in a token can end the quoted string: see charactersOf.
  if (characters.length < GRAM) return `${column} : "${characters.join('')}" *`;
  const grams: string[] = [];
  for (let at = 0; at + GRAM <= characters.length; at++) grams.push(characters.slice(at, at + GRAM).join(''));
  return `${column} : "${grams.join(' ')}"`;
}
