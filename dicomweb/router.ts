// From a request path to a resource and its UIDs: the whole URL space of PS3.18 Table 8.2 that this server has. Every
// segment is checked against its grammar here, before anything below is asked.

import type { Scope } from '../tiering/archive/archive.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../tiering/core/ids.js';

/** The path under which the surface is mounted, and that stored BulkDataURIs begin with. */
export const MOUNT = '/dicomweb';

export type Resource =
  | 'root'
  | 'search-studies'
  | 'search-series'
  | 'search-instances'
  | 'study'
  | 'series'
  | 'instance'
  | 'metadata'
  | 'frames'
  | 'bulkdata'
  | 'all-bulkdata'
  | 'all-pixeldata'
  | 'rendered'
  | 'thumbnail'
  /** /wado, whose scope is in its query. */
  | 'wado-uri'
  /** Known to the standard or to clients, and not done by this version. */
  | 'later';

export interface Target {
  readonly resource: Resource;
  /** The UIDs in the path; null where it names no study. */
  readonly scope: Scope | null;
  /** Frame list or bulk data path, percent-decoded. */
  readonly rest: string;
}

const NONE: Target = { resource: 'root', scope: null, rest: '' };
// A comma in a frame list and the caret of a reject code are the only characters of ours that clients escape.
const ESCAPE = /%(?!2c|5e)/i;

/**
 * Resolves a path (no query). Null: no such resource.
 * @throws INVALID for escapes, control characters, dot segments or UIDs outside of their grammar.
 */
export function matchPath(path: string, pathBytesMax: number): Target | null {
  if (path.length > pathBytesMax) throw new ArchiveError('INVALID', `the path is longer than ${pathBytesMax} bytes`);
  if (path === '/wado' || path === '/wado/') return { resource: 'wado-uri', scope: null, rest: '' };
  if (path.includes('%')) {
    if (ESCAPE.test(path))
      throw new ArchiveError('INVALID', 'the path holds a percent escape that no resource of ours has');
    return matchSegments(path.replaceAll(/%2c/gi, ',').replaceAll(/%5e/gi, '^').split('/'));
  }
  return matchSegments(path.split('/'));
}

function matchSegments(segments: readonly string[]): Target | null {
  // '', 'dicomweb', then the resource; one slash at the end is forgiven.
  const count = segments.at(-1) === '' && segments.length > 3 ? segments.length - 1 : segments.length;
  if (segments.slice(2, count).some((segment) => segment === '.' || segment === '..')) {
    throw new ArchiveError('INVALID', 'the path holds a dot segment');
  }
  const first = segments[2];
  if (count === 2 || (count === 3 && first === '')) return NONE;
  if (first === 'series' || first === 'instances') {
    return count === 3 ? { resource: `search-${first}`, scope: null, rest: '' } : null;
  }
  if (first !== 'studies') return null;
  if (count === 3) return { resource: 'search-studies', scope: null, rest: '' };
  return matchStudy(segments.slice(3, count));
}

function matchStudy(segments: readonly string[]): Target | null {
  const [studyText = '', kind, seriesText, below, sopText, ...tail] = segments;
  const study = parseStudyUid(studyText);
  if (kind === undefined) return { resource: 'study', scope: { study }, rest: '' };
  if (kind === 'instances') return seriesText === undefined ? search('instances', { study }) : null;
  if (kind !== 'series') return matchLeaf({ study }, segments.slice(1));
  if (seriesText === undefined) return search('series', { study });
  const series = parseSeriesUid(seriesText);
  if (below === undefined) return { resource: 'series', scope: { study, series }, rest: '' };
  if (below === 'reject') return { resource: 'later', scope: { study, series }, rest: 'reject' };
  if (below !== 'instances') return matchLeaf({ study, series }, segments.slice(3));
  if (sopText === undefined) return search('instances', { study, series });
  const sop = parseSopUid(sopText);
  if (tail.length === 0) return { resource: 'instance', scope: { study, series, sop }, rest: '' };
  return matchLeaf({ study, series, sop }, tail);
}

function search(what: 'series' | 'instances', scope: Scope): Target {
  return { resource: `search-${what}`, scope, rest: '' };
}

/** What hangs below a study, series or instance. */
function matchLeaf(scope: Scope, segments: readonly string[]): Target | null {
  const [word = '', ...tail] = segments;
  const one = scope.sop !== undefined;
  switch (word) {
    case 'metadata':
      return tail.length === 0 ? { resource: 'metadata', scope, rest: '' } : null;
    case 'frames':
      if (!one || tail.length === 0) return null;
      if (tail.length === 1) return { resource: 'frames', scope, rest: tail[0] ?? '' };
      if (tail.length > 2 || (tail[1] !== 'rendered' && tail[1] !== 'thumbnail')) return null;
      return { resource: tail[1], scope, rest: tail[0] ?? '' };
    case 'bulkdata':
      if (tail.length === 0) return { resource: 'all-bulkdata', scope, rest: '' };
      return one ? { resource: 'bulkdata', scope, rest: tail.join('/') } : null;
    case 'pixeldata':
      return tail.length === 0 ? { resource: 'all-pixeldata', scope, rest: '' } : null;
    case 'rendered':
    case 'thumbnail':
      // The aliases /rendered/N and /thumbnail/N are what cornerstone makes of /frames/N.
      return tail.length <= (one ? 1 : 0) ? { resource: word, scope, rest: tail[0] ?? '' } : null;
    default:
      return null;
  }
}
