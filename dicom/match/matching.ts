// Attribute matching of PS3.4 C.2.2.2 on DICOM JSON objects: the one authority of what a query means. Whatever an
// index does to be fast may only leave out what this would refuse.
import { nameMatches } from './match-name.js';
import { hasWildcard, trim, wildcardMatches } from './match-text.js';
import { dateTimeMatches, keyInterval, overlaps, valueInterval } from './match-time.js';

export interface DicomJsonElement {
  readonly vr?: unknown;
  readonly Value?: unknown;
}

/** A PS3.18 Annex F object, as JSON.parse gives it. Nothing about it is trusted. */
export type DicomJsonObject = Readonly<Record<string, DicomJsonElement | undefined>>;

/** One key: see AttributeMatch of the index boundary. */
export interface AttributeKey {
  readonly path: readonly string[];
  readonly vr: string;
  readonly values: readonly string[];
  readonly empty?: boolean;
  readonly time?: { readonly tag: string; readonly range: string };
}

export interface MatchOptions {
  /** Person names match by the beginnings of their words too. */
  readonly fuzzy: boolean;
}

const DEPTH_MAX = 16;
const TIMES: ReadonlySet<string> = new Set(['DA', 'TM', 'DT']);
const NUMBERS: ReadonlySet<string> = new Set(['IS', 'DS', 'US', 'UL', 'SS', 'SL', 'FL', 'FD', 'SV', 'UV']);
/** PS3.4 C.2.2.2.4. */
const WILDCARDS: ReadonlySet<string> = new Set(['AE', 'CS', 'LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UR', 'UT']);

/** The values of a key that say anything: empty ones are universal matching (PS3.4 C.2.2.2.3). */
export function tellingValues(key: AttributeKey): readonly string[] {
  return key.values.filter((value) => value !== '');
}

/** Whether `key` matches every object, also one without the attribute. */
export function isUniversal(key: AttributeKey): boolean {
  if (key.empty === true) return false;
  const values = tellingValues(key);
  return values.length === 0 || (WILDCARDS.has(key.vr) && values.some((value) => /^\*+$/.test(value)));
}

/**
 * Whether `object` matches all of the keys. Keys of attributes inside of one sequence must be matched by one and the same item
 * of it (PS3.4 C.2.2.2.6).
 */
export function matchesAll(object: DicomJsonObject, keys: readonly AttributeKey[], options: MatchOptions): boolean {
  const telling = keys.filter((key) => !isUniversal(key));
  if (telling.some((key) => key.path.length === 0 || key.path.length > DEPTH_MAX)) return false;
  return matchesAt(object, telling, 0, options);
}

/** `keys` agree in what precedes `depth` of their paths. */
function matchesAt(
  object: DicomJsonObject,
  keys: readonly AttributeKey[],
  depth: number,
  options: MatchOptions,
): boolean {
  const inItems = new Map<string, AttributeKey[]>();
  for (const key of keys) {
    const tag = key.path[depth] ?? '';
    if (depth + 1 === key.path.length) {
      if (!matchesHere(object, tag, key, options)) return false;
    } else inItems.set(tag, [...(inItems.get(tag) ?? []), key]);
  }
  for (const [tag, inside] of inItems) {
    const items = valuesOf(object[tag]).filter(isObject);
    // No item at all is an item without the attribute, for keys that ask for that.
    const candidates = items.length === 0 ? [{}] : items;
    if (!candidates.some((item) => matchesAt(item as DicomJsonObject, inside, depth + 1, options))) return false;
  }
  return true;
}

function valuesOf(element: DicomJsonElement | undefined): readonly unknown[] {
  return Array.isArray(element?.Value) ? element.Value : [];
}

function matchesHere(object: DicomJsonObject, tag: string, key: AttributeKey, options: MatchOptions): boolean {
  const element = object[tag];
  const values = valuesOf(element);
  if (key.empty === true) return values.every(isEmpty);
  const { time } = key;
  if (time !== undefined) {
    return tellingValues(key).some((range) =>
      dateTimeMatches(range, time.range, textOf(values[0]), textOf(valuesOf(object[time.tag])[0])),
    );
  }
  const vr = key.vr === 'UN' && typeof element?.vr === 'string' ? element.vr : key.vr;
  return tellingValues(key).some((wanted) => values.some((value) => valueMatches(vr, wanted, value, options)));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === 'string') return trim(value) === '';
  return isObject(value) && Object.values(value).every(isEmpty);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueMatches(vr: string, wanted: string, value: unknown, options: MatchOptions): boolean {
  if (vr === 'PN') return nameMatches(wanted, groupsOf(value), options.fuzzy);
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  const text = trim(String(value));
  if (TIMES.has(vr)) return timeMatches(vr, wanted, text);
  if (NUMBERS.has(vr)) return numberMatches(trim(wanted), text);
  if (vr === 'AT') return trim(wanted).toUpperCase() === text.toUpperCase();
  if (WILDCARDS.has(vr) && hasWildcard(wanted)) return wildcardMatches(trim(wanted), text);
  return trim(wanted) === text;
}

/** The groups of a PN value as DICOM JSON has it: alphabetic, ideographic, phonetic; empty text for one that is not there. */
export function groupsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split('=');
  if (!isObject(value)) return [];
  return [value['Alphabetic'], value['Ideographic'], value['Phonetic']].map((group) =>
    typeof group === 'string' ? group : '',
  );
}

function timeMatches(vr: string, wanted: string, text: string): boolean {
  const range = keyInterval(vr, wanted);
  // A key that is no date can still equal a value that is none.
  if (range === null) return trim(wanted) === text;
  const interval = valueInterval(vr, text);
  return interval !== null && overlaps(interval, range);
}

function numberMatches(wanted: string, text: string): boolean {
  if (wanted === text) return true;
  return wanted !== '' && text !== '' && Number(wanted) === Number(text);
}
