// What one caller may do, and to which studies: decided once, before a request reaches anything. Which action a request is
// follows from its method and route alone.
import type { IncomingMessage } from 'node:http';
import { ArchiveError } from '../../tiering/core/errors.js';
import { parseStudyUid, type StudyUid } from '../../tiering/core/ids.js';

export const ACTIONS = ['read', 'store', 'delete', 'operate'] as const;
/** `operate` is everything under /admin, and the metrics. */
export type Action = (typeof ACTIONS)[number];

export interface Access {
  /** Of the token or person, for the log. */
  readonly name: string;
  readonly may: ReadonlySet<Action>;
  /** Null: all of them. */
  readonly studies: ReadonlySet<StudyUid> | null;
}

export const EVERY_ACTION: ReadonlySet<Action> = new Set(ACTIONS);

/** A list of UIDs in a token is checked against each request: more belong in the identity provider's groups. */
const STUDIES_MAX = 1000;

export function isAction(text: string): text is Action {
  return (ACTIONS as readonly string[]).includes(text);
}

/** INVALID for what is not a list of study UIDs, or one of more than 1,000. */
export function parseStudies(value: unknown): ReadonlySet<StudyUid> {
  if (!Array.isArray(value) || value.length > STUDIES_MAX || !value.every((one) => typeof one === 'string')) {
    throw new ArchiveError('INVALID', `studies must be a list of at most ${STUDIES_MAX} Study Instance UIDs`);
  }
  return new Set(value.map((one) => parseStudyUid(one)));
}

/** What a request under /dicomweb and /wado does. */
export function imageAction(request: Pick<IncomingMessage, 'method'>): Action {
  if (request.method === 'DELETE') return 'delete';
  return request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS' ? 'read' : 'store';
}

/** What a request under /admin or for the metrics does. */
export function adminActions(request: Pick<IncomingMessage, 'method' | 'url'>): readonly Action[] {
  const path = request.url?.split('?', 1)[0]?.replace(/\/+$/, '').toLowerCase();
  const deletes =
    (request.method === 'POST' && path === '/admin/api/deletions') ||
    // Clearing a hold, and whatever else is deleted but jobs.
    (request.method === 'DELETE' && path?.startsWith('/admin/api/jobs/') !== true);
  return deletes ? ['operate', 'delete'] : ['operate'];
}
