// One request in the words of the audit log: what kind of event it is (DICOM PS3.15 A.5), which studies it named, and what became of it. Of a search only its
// level and the names of its keys are kept, never their values: they are people's names.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { matchPath } from '../../dicomweb/router.js';
import type { AuditRecord } from './audit.js';

/** What is kept of a request until it is put into words. */
export interface Asked {
  readonly atMs: number;
  readonly method: string;
  readonly url: string;
  readonly who: string;
  readonly from: string;
  readonly status: number;
  /** The answer reached its end. */
  readonly whole: boolean;
  /** Studies that instances were stored into, and what an operator's command is about. */
  readonly details: Readonly<Record<string, unknown>> | undefined;
}

const PATH_BYTES_MAX = 8_192;
const NAMES_MAX = 32;
const UID = /^[0-9.]{1,64}$/;

/** The codes of DICOM PS3.16 CID 400 for the kinds of events. */
const CODES: Readonly<Record<string, string>> = {
  query: '110112',
  retrieve: '110104',
  render: '110103',
  store: '110104',
  delete: '110105',
  operate: '110100',
  refused: '110114',
};

/** Of a request whose answer is over. */
export function askedOf(
  request: IncomingMessage,
  response: ServerResponse,
  known: Pick<Asked, 'url' | 'who' | 'from' | 'atMs' | 'details'>,
): Asked {
  return {
    ...known,
    method: request.method ?? '',
    status: response.statusCode,
    whole: response.writableFinished,
  };
}

export function recordOf(asked: Asked): AuditRecord | null {
  const { atMs, method, who, from, status, whole, details } = asked;
  if (method === 'OPTIONS') return null;
  const what = status === 401 || status === 403 ? refusedRequest(asked) : describe(asked);
  const outcome = status >= 400 ? (status >= 500 ? 'failed' : 'refused') : whole ? 'done' : 'broken off';
  return { atMs, event: what.event, dcm: CODES[what.event], who, from, outcome, status, ...what.about, ...details };
}

interface What {
  readonly event: string;
  readonly about: Readonly<Record<string, unknown>>;
}

function refusedRequest(asked: Asked): What {
  const { event, about } = describe(asked);
  return { event: 'refused', about: { asked: event, ...about } };
}

function describe({ method, url }: Asked): What {
  const [path = '/', search = ''] = url.split('?', 2);
  if (/^\/admin(\/|$)/i.test(path)) return { event: 'operate', about: { method, path: path.slice(0, 200) } };
  const query = new URLSearchParams(search);
  let target: ReturnType<typeof matchPath> = null;
  try {
    target = matchPath(path, PATH_BYTES_MAX);
  } catch {
    // Outside of every grammar: only that it was asked is kept.
  }
  if (target === null) return { event: 'refused', about: { resource: 'unknown' } };
  const { resource, scope } = target;
  const of = resource === 'wado-uri' ? wadoScope(query) : scope === null ? {} : { ...scope };
  const about = { resource, ...of };
  if (method === 'DELETE') return { event: 'delete', about };
  if (method === 'POST') return { event: 'store', about };
  if (resource.startsWith('search-')) {
    const keys = [...new Set(query.keys())].filter((name) => /^[\w.]{1,64}$/.test(name)).sort();
    return { event: 'query', about: { ...about, keys: keys.slice(0, NAMES_MAX) } };
  }
  const drawn = resource === 'rendered' || resource === 'thumbnail' || resource === 'wado-uri';
  // Frame by frame would be a line for each: what a viewer opens is a series.
  if (resource === 'frames' || resource === 'bulkdata') {
    return { event: 'retrieve', about: { resource, study: scope?.study, series: scope?.series } };
  }
  return { event: drawn ? 'render' : 'retrieve', about };
}

function wadoScope(query: URLSearchParams): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [key, name] of [
    ['study', 'studyUID'],
    ['series', 'seriesUID'],
    ['sop', 'objectUID'],
  ] as const) {
    const value = query.get(name);
    if (value !== null && UID.test(value)) found[key] = value;
  }
  return found;
}

/** Of the body of an operator's command what says what it is about: kinds and UIDs, never the values of a search. */
export function aboutCommand(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null) return {};
  const about: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body)) {
    if (typeof value === 'boolean') about[key] = value;
    else if (TOLD.has(key) && typeof value === 'string') about[key] = value.slice(0, 200);
    else if (Array.isArray(value) && value.every((one) => typeof one === 'string' && UID.test(one))) {
      about[key] = value.slice(0, 1_000);
    }
  }
  return about;
}

const TOLD: ReadonlySet<string> = new Set([
  'kind',
  'study',
  'series',
  'instance',
  'key',
  'olderThan',
  'expiresIn',
  'name',
  'until',
  'replica',
]);
