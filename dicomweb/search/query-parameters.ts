// QIDO-RS query text (PS3.18 8.3.4) to a QuerySpec. A bad date or number is INVALID and named, what is only too large is
// clamped, and what names no attribute is left out and told.
import { levelOfTag } from '../../dicom/level-attributes.js';
import type { QuerySpec, Scope } from '../../tiering/archive/archive.js';
import type { DicomwebLimits } from '../limits.js';
import { combineDateTimes, type Match, matchesOf, pathOf, refuse, shown, takesList, vrOfPath } from './query-match.js';

export type QueryLevel = QuerySpec['level'];

/** What to look for, and whether the page is smaller than was asked for (or nothing was asked for). */
export interface ParsedQuery {
  readonly spec: QuerySpec;
  /** The client gave no limit, or a larger one than is given. */
  readonly limitIsOurs: boolean;
  /** Names of parameters and included fields that are no attribute: nothing was matched or included by them. */
  readonly unknown: readonly string[];
}

/** Taken and ignored: content negotiation, cache busters of browsers, and what proxies add. */
const IGNORED: ReadonlySet<string> = new Set(['accept', 'charset', '_', 'access_token']);
function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) refuse(`${name} is not a whole number of 0 or more`);
  return Number(text);
}

function flag(name: string, text: string): boolean {
  const value = text.trim().toLowerCase();
  if (value !== 'true' && value !== 'false') refuse(`${name} is neither true nor false`);
  return value === 'true';
}

/**
 * Tags of `includefield` parameters. What names no attribute is added to `unknown`.
 * @throws INVALID for more than the limit, and for such a name where there is no `unknown`.
 */
export function includesOf(
  texts: readonly string[],
  limits: DicomwebLimits,
  unknown?: Set<string>,
): QuerySpec['include'] {
  const tags = new Set<string>();
  for (const text of texts) {
    for (const field of text.split(',')) {
      const name = field.trim();
      if (name === '') continue;
      if (name === 'all') return 'all';
      // PS3.18 8.3.4.3 allows a path; its sequence comes whole.
      const [first] = pathOf(name) ?? [];
      if (first !== undefined) tags.add(first);
      else if (unknown === undefined) refuse(`unknown attribute ${shown(name)} in includefield`);
      else unknown.add(name);
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

/** What a query says besides the attributes to match, and those as they were sent. */
interface Sent {
  readonly attributes: readonly (readonly [name: string, path: readonly string[], value: string])[];
  readonly includes: readonly string[];
  readonly unknown: Set<string>;
  readonly fuzzy: boolean;
  readonly emptyValues: boolean;
  readonly everyValue: boolean;
  readonly limit: number | null;
  readonly offset: number;
}

function readParameters(parameters: URLSearchParams, limits: DicomwebLimits): Sent {
  if (parameters.size > limits.queryParametersMax) refuse(`more than ${limits.queryParametersMax} query parameters`);
  const attributes: (readonly [string, readonly string[], string])[] = [];
  const includes: string[] = [];
  const unknown = new Set<string>();
  const flags = { fuzzymatching: false, emptyvaluematching: false, multiplevaluematching: false };
  let limit: number | null = null;
  let offset = 0;
  for (const [name, value] of parameters) {
    if (IGNORED.has(name)) continue;
    if (name === 'includefield') includes.push(value);
    else if (name === 'limit') limit = wholeNumber('limit', value);
    else if (name === 'offset') offset = wholeNumber('offset', value);
    else if (name === 'fuzzymatching' || name === 'emptyvaluematching' || name === 'multiplevaluematching') {
      flags[name] = flag(name, value);
    } else {
      const path = pathOf(name);
      if (path === null) unknown.add(name);
      // PS3.4 C.2.2.2: it says how the keys are written, and is never matched.
      else if (path[0] !== '00080005') attributes.push([name, path, value]);
    }
  }
  if (offset > limits.queryOffsetMax) refuse(`offset is more than ${limits.queryOffsetMax}`);
  return {
    attributes,
    includes,
    unknown,
    limit,
    offset,
    fuzzy: flags.fuzzymatching,
    emptyValues: flags.emptyvaluematching,
    everyValue: flags.multiplevaluematching,
  };
}

/** All matches. A parameter that is there twice is refused unless it says the same, or a list that may be sent in pieces. */
function readMatches(sent: Sent, limits: DicomwebLimits): readonly Match[] {
  const texts = new Map<string, { readonly name: string; readonly path: readonly string[]; text: string }>();
  for (const [name, path, value] of sent.attributes) {
    const key = path.join('.');
    const other = texts.get(key);
    if (other === undefined) texts.set(key, { name, path, text: value });
    else if (takesList(vrOfPath(path))) other.text += `\\${value}`;
    else if (other.text !== value) refuse(`${shown(name)} is given twice`);
  }
  return [...texts.values()].flatMap(({ name, path, text }) => matchesOf(name, path, text, sent, limits));
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
  const sent = readParameters(parameters, limits);
  const matches = readMatches(sent, limits);
  const ours = scope === null ? limits.queryRowsDefault : limits.queryRowsMax;
  const include = withMatched(includesOf(sent.includes, limits, sent.unknown), matches);
  return {
    spec: {
      level,
      ...(scope === null ? {} : { study: scope.study }),
      ...(scope?.series === undefined ? {} : { series: scope.series }),
      matches: combineDateTimes(matches),
      fuzzy: sent.fuzzy,
      limit: Math.min(sent.limit ?? ours, limits.queryRowsMax),
      offset: sent.offset,
      include,
    },
    limitIsOurs: sent.limit === null || sent.limit > limits.queryRowsMax,
    unknown: [...sent.unknown],
  };
}
