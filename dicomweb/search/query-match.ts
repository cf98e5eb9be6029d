// One matching parameter of a search (PS3.18 8.3.4.1) to the keys of the index: the attribute that its name says, the values that
// its text says, each held against the grammar of its VR.
import { tagOfKeyword, vrOf } from '../../dicom/dictionary.js';
import { rangeEnds } from '../../dicom/match/match-time.js';
import type { QuerySpec } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { isUid } from '../../tiering/core/ids.js';
import type { DicomwebLimits } from '../limits.js';

export type Match = QuerySpec['matches'][number];

export interface MatchOptions {
  /** `""` finds what is empty (PS3.18 8.3.4.5). */
  readonly emptyValues: boolean;
  /** Several values must all be there, where any of them is enough otherwise (PS3.18 8.3.4.6). */
  readonly everyValue: boolean;
}

/** Refuses a query that cannot be read. The text names a parameter and never says a value: it may be a patient's. */
export function refuse(what: string): never {
  throw new ArchiveError('INVALID', what);
}

/** For messages: a parameter name as sent, cut short. */
export function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}

const TAG = /^[0-9a-fA-F]{8}$/;

/** Tags of a name: `PatientName`, `00100010`, `RequestAttributesSequence.00400007`. Null when it names no attribute. */
export function pathOf(name: string): readonly string[] | null {
  const path: string[] = [];
  for (const step of name.split('.')) {
    const tag = TAG.test(step) ? step.toUpperCase() : tagOfKeyword(step);
    if (tag === undefined) return null;
    path.push(tag);
  }
  return path;
}

/** VRs whose values hold no comma, so that clients may join several with one (OHIF, Weasis) as well as with a backslash. */
const COMMA_LISTS: ReadonlySet<string> = new Set('AS AT CS DA DS DT IS SL SS SV TM UI UL US UV'.split(' '));
/** VRs of one value always, in which a backslash is text (PS3.5 6.2). */
const NO_LISTS: ReadonlySet<string> = new Set(['LT', 'ST', 'UT', 'UR']);
/** PS3.4 C.2.2.2.8. */
const EVERY_VALUE: ReadonlySet<string> = new Set(['AE', 'AS', 'AT', 'CS', 'LO', 'PN', 'SH', 'UC']);

/** The VR that the values of a path have. */
export function vrOfPath(path: readonly string[]): string {
  return vrOf(path.at(-1) ?? '') ?? 'UN';
}

/** Whether a VR takes a list of values where a client repeats the parameter. */
export function takesList(vr: string): boolean {
  return COMMA_LISTS.has(vr);
}

function splitValues(vr: string, text: string): readonly string[] {
  if (NO_LISTS.has(vr)) return [text];
  return text.split(COMMA_LISTS.has(vr) ? /[,\\]/ : '\\');
}

/**
 * The keys of one parameter: one, or one for each value when all of them are asked for.
 * @throws INVALID, naming the parameter.
 */
export function matchesOf(
  name: string,
  path: readonly string[],
  text: string,
  options: MatchOptions,
  limits: DicomwebLimits,
): readonly Match[] {
  const vr = vrOfPath(path);
  if (options.emptyValues && text.trim() === '""') return [{ path, vr, values: [''], empty: true }];
  if (vr === 'SQ' && text.trim() !== '') refuse(`${shown(name)} is a sequence: name an attribute inside of it`);
  // A plus sign that nobody escaped arrives as a space, and a date time has none.
  const sent = vr === 'DT' ? text.trim().replaceAll(' ', '+') : text;
  const split = splitValues(vr, sent);
  if (split.length > limits.matchValuesMax) refuse(`${shown(name)} has more than ${limits.matchValuesMax} values`);
  const values: string[] = [];
  for (const part of split) {
    // A run of stars says no more than one, and costs more to match.
    const value = part.trim().replaceAll(/\*{2,}/g, '*');
    if (value === '') continue;
    if (value.length > limits.matchValueCharactersMax) refuse(`the value of ${shown(name)} is too long`);
    if (value.includes('\0')) refuse(`the value of ${shown(name)} holds a NUL`);
    // PS3.4 C.2.2.2.4: a star alone is universal matching. Clients send it for dates and UIDs too.
    if (value === '*') return [{ path, vr, values: [''] }];
    checkValue(name, vr, value);
    values.push(value);
  }
  // PS3.4 C.2.2.2.3: an empty value matches everything.
  if (values.length === 0) return [{ path, vr, values: [''] }];
  if (options.everyValue && EVERY_VALUE.has(vr)) return values.map((value) => ({ path, vr, values: [value] }));
  return [{ path, vr, values }];
}

const DATE = /^(\d{4})(\d{2})(\d{2})$/;
const TIME = /^([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?)?(\.\d{1,6})?$/;
const DATE_TIME = /^\d{4}(\d{2}(\d{2}(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?$/;

function isDate(text: string): boolean {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined) return false;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  // Date.UTC moves 20260231 to March; what it moved was no date.
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

/** PS3.4 C.2.2.2.5: a value, `a-`, `-b` or `a-b`. */
function isRange(text: string, isOne: (part: string) => boolean): boolean {
  if (isOne(text)) return true;
  for (let at = text.indexOf('-'); at >= 0; at = text.indexOf('-', at + 1)) {
    const from = text.slice(0, at);
    const to = text.slice(at + 1);
    if ((from !== '' || to !== '') && (from === '' || isOne(from)) && (to === '' || isOne(to))) return true;
  }
  return false;
}

function checkValue(name: string, vr: string, value: string): void {
  const fault = (what: string) => refuse(`the value of ${shown(name)} is not ${what}`);
  if (vr === 'UI' && !isUid(value)) fault('a UID, or UIDs joined by , or \\');
  if (vr === 'DA' && !isRange(value, isDate)) fault('a date (YYYYMMDD) or a range of dates');
  if (vr === 'TM' && !isRange(value, (part) => TIME.test(part))) fault('a time (HHMMSS.F) or a range of times');
  if (vr === 'DT' && !isRange(value, (part) => DATE_TIME.test(part))) fault('a date time or a range of them');
  if (vr === 'IS' && !/^[+-]?\d{1,11}$/.test(value)) fault('a whole number');
}

/** Dates and the times beside them (PS3.3). */
const TIME_OF_DATE: ReadonlyMap<string, string> = new Map([
  ['00080012', '00080013'],
  ['00080020', '00080030'],
  ['00080021', '00080031'],
  ['00080022', '00080032'],
  ['00080023', '00080033'],
  ['00100030', '00100032'],
  ['00400002', '00400003'],
  ['00400244', '00400245'],
  ['00400250', '00400251'],
]);

/**
 * PS3.18 8.3.4.1.1 and PS3.4 C.2.2.2.5: a range of dates and a range of the times beside them, both of the same form, are one
 * range of moments. Everything else stays as it is.
 */
export function combineDateTimes(matches: readonly Match[]): readonly Match[] {
  const taken = new Set<Match>();
  const combined = matches.map((match) => {
    const tag = TIME_OF_DATE.get(match.path.at(-1) ?? '');
    const [dates = ''] = match.values;
    const days = match.values.length === 1 ? rangeEnds('DA', dates) : null;
    if (tag === undefined || days === null) return match;
    const path = [...match.path.slice(0, -1), tag].join('.');
    const other = matches.find((one) => one.path.join('.') === path && one.values.length === 1);
    const [range = ''] = other?.values ?? [];
    const times = rangeEnds('TM', range);
    if (other === undefined || times === null) return match;
    if ((days[0] === '') !== (times[0] === '') || (days[1] === '') !== (times[1] === '')) return match;
    taken.add(other);
    return { ...match, time: { tag, range } };
  });
  return combined.filter((match) => !taken.has(match));
}
