// QIDO-RS query text (PS3.18 8.3.4) to a QuerySpec. Everything is checked against its grammar here: an unknown parameter,
// a bad date or number is INVALID and named, and what is only too large is clamped.
import { tagOfKeyword, vrOf } from '../dicom/dictionary.js';
import { levelOfTag } from '../dicom/level-attributes.js';
import type { QuerySpec, Scope } from '../tiering/archive/archive.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { isUid } from '../tiering/core/ids.js';
import type { DicomwebLimits } from './limits.js';

export type QueryLevel = QuerySpec['level'];

/** What to look for, and whether the page is smaller than was asked for (or nothing was asked for). */
export interface ParsedQuery {
  readonly spec: QuerySpec;
  /** The client gave no limit, or a larger one than is given. */
  readonly limitIsOurs: boolean;
}

type Match = QuerySpec['matches'][number];

/** Taken and ignored: content negotiation, cache busters of browsers, and what proxies add. */
const IGNORED: ReadonlySet<string> = new Set(['accept', 'charset', '_', 'access_token']);
const TAG = /^[0-9a-fA-F]{8}$/;
const LISTS: ReadonlySet<string> = new Set(['UI', 'CS']);

function refuse(what: string): never {
  throw new ArchiveError('INVALID', what);
}

/** For messages: a parameter name as sent, cut short. Never a value: it may be a patient's. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}

function tagOf(text: string): string | undefined {
  return TAG.test(text) ? text.toUpperCase() : tagOfKeyword(text);
}

/** Tags of a parameter name: `PatientName`, `00100010`, `RequestAttributesSequence.00400007`. */
function pathOf(name: string): readonly string[] {
  return name.split('.').map((step) => tagOf(step) ?? refuse(`unknown query parameter ${shown(name)}`));
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) refuse(`${name} is not a whole number of 0 or more`);
  return Number(text);
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

function matchOf(name: string, text: string, limits: DicomwebLimits): Match {
  const path = pathOf(name);
  const vr = vrOf(path.at(-1) ?? '') ?? 'UN';
  if (vr === 'SQ') refuse(`${shown(name)} is a sequence: name an attribute inside of it`);
  const split = LISTS.has(vr) ? text.split(/[,\\]/) : [text];
  if (split.length > limits.matchValuesMax) refuse(`${shown(name)} has more than ${limits.matchValuesMax} values`);
  const values = split.map((value) => value.trim()).filter((value) => value !== '');
  for (const value of values) {
    if (value.length > limits.matchValueCharactersMax) refuse(`the value of ${shown(name)} is too long`);
    if (value.includes('\0')) refuse(`the value of ${shown(name)} holds a NUL`);
    checkValue(name, vr, value);
  }
  // PS3.4 C.2.2.2.3: an empty value matches everything. A run of stars says no more than one, and costs more to match.
  return { path, vr, values: values.length === 0 ? [''] : values.map((value) => value.replaceAll(/\*{2,}/g, '*')) };
}

export function includesOf(texts: readonly string[], limits: DicomwebLimits): QuerySpec['include'] {
  const tags = new Set<string>();
  for (const text of texts) {
    for (const field of text.split(',')) {
      const name = field.trim();
      if (name === '') continue;
      if (name === 'all') return 'all';
      // PS3.18 8.3.4.3 allows a path; its sequence comes whole.
      const [first] = name
        .split('.')
        .map((step) => tagOf(step) ?? refuse(`unknown attribute ${shown(name)} in includefield`));
      if (first !== undefined) tags.add(first);
      if (tags.size > limits.includeFieldsMax) refuse(`more than ${limits.includeFieldsMax} included attributes`);
    }
  }
  return [...tags];
}

/** Counted over the study, in every answer: Instance Availability, Modalities and SOP Classes in Study, the three counts. */
const COMPUTED: ReadonlySet<string> = new Set(['00080056', '00080061', '00080062', '00201206', '00201208', '00201209']);

/** PS3.18 10.6.3.3: what was matched is in the answer. Attributes of the levels are there anyway, or below what was asked for. */
function withMatched(include: QuerySpec['include'], matches: Iterable<Match>): QuerySpec['include'] {
  if (include === 'all') return include;
  const tags = new Set(include);
  for (const { path } of matches) {
    const [tag = ''] = path;
    if (!COMPUTED.has(tag) && levelOfTag(Number.parseInt(tag, 16)) === undefined) tags.add(tag);
  }
  return [...tags];
}

/**
 * Reads a query.
 * @param scope the study and series of the path, which bind the query.
 * @throws INVALID, naming the parameter, never its value.
 */
export function parseQuery(
  level: QueryLevel,
  scope: Scope | null,
  parameters: URLSearchParams,
  limits: DicomwebLimits,
): ParsedQuery {
  const matches = new Map<string, Match>();
  const includes: string[] = [];
  let fuzzy = false;
  let limit: number | null = null;
  let offset = 0;
  if (parameters.size > limits.queryParametersMax) refuse(`more than ${limits.queryParametersMax} query parameters`);
  for (const [name, value] of parameters) {
    if (IGNORED.has(name)) continue;
    if (name === 'includefield') includes.push(value);
    else if (name === 'limit') limit = wholeNumber('limit', value);
    else if (name === 'offset') offset = wholeNumber('offset', value);
    else if (name === 'fuzzymatching') {
      if (value !== 'true' && value !== 'false') refuse('fuzzymatching is neither true nor false');
      fuzzy = value === 'true';
    } else {
      const match = matchOf(name, value, limits);
      const key = match.path.join('.');
      const other = matches.get(key);
      if (other !== undefined && other.values.join('\\') !== match.values.join('\\')) {
        refuse(`${shown(name)} is given twice`);
      }
      matches.set(key, match);
    }
  }
  if (offset > limits.queryOffsetMax) refuse(`offset is more than ${limits.queryOffsetMax}`);
  const ours = scope === null ? limits.queryRowsDefault : limits.queryRowsMax;
  return {
    spec: {
      level,
      ...(scope === null ? {} : { study: scope.study }),
      ...(scope?.series === undefined ? {} : { series: scope.series }),
      matches: [...matches.values()],
      fuzzy,
      limit: Math.min(limit ?? ours, limits.queryRowsMax),
      offset,
      include: withMatched(includesOf(includes, limits), matches.values()),
    },
    limitIsOurs: limit === null || limit > limits.queryRowsMax,
  };
}
