// What an error becomes on the wire: the one table from ErrorCode and DicomFault to HTTP status and to the
// STOW reason codes of PS3.18 Annex I, and the application/problem+json body (RFC 9457).
import type { OutgoingHttpHeaders } from 'node:http';
import type { DicomFault, DicomWarning } from '../dicom/instance.js';
import type { StoreOutcome } from '../tiering/archive/archive.js';
import { ArchiveError, codeOf, type ErrorCode } from '../tiering/core/errors.js';

interface Status {
  readonly status: number;
  readonly title: string;
}

/** `ABORTED` has no answer: who asked is gone. Its status is only ever logged. */
const STATUS_OF: Readonly<Record<ErrorCode, Status>> = {
  INVALID: { status: 400, title: 'Bad request' },
  FORBIDDEN: { status: 403, title: 'Not permitted' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  CONFLICT: { status: 409, title: 'Conflict' },
  LIMIT: { status: 413, title: 'Too large' },
  NOT_SUPPORTED: { status: 501, title: 'Not implemented' },
  UNAVAILABLE: { status: 503, title: 'Unavailable, try again' },
  FULL: { status: 503, title: 'No space for new instances' },
  LOCKED: { status: 503, title: 'Locked, try again' },
  // ABSENT never reaches this floor as an answer about an instance: a row whose bytes one place lacks is being resolved.
  ABSENT: { status: 503, title: 'Unavailable, try again' },
  LOST: { status: 500, title: 'Every copy is lost' },
  CORRUPT: { status: 500, title: 'Stored data is damaged' },
  WRONG_KEY: { status: 500, title: 'The keyring does not open this' },
  SUITE_REFUSED: { status: 500, title: 'The configuration does not open this cipher suite' },
  FOREIGN: { status: 500, title: 'Storage belongs to another archive' },
  INTERNAL: { status: 500, title: 'Internal error' },
  ABORTED: { status: 499, title: 'Client closed the request' },
};

const TITLE_OF: Readonly<Record<number, string>> = {
  404: 'Not found',
  405: 'Method not allowed',
  406: 'Not acceptable',
  408: 'Request timed out',
  413: 'Too large',
  415: 'Unsupported media type',
  416: 'Range not satisfiable',
};

export interface HttpProblemOptions {
  readonly code?: ErrorCode;
  readonly headers?: OutgoingHttpHeaders;
  /** What can be had in place of what was asked: each an Accept value that would be answered. */
  readonly available?: readonly string[];
  readonly cause?: unknown;
}

/** An error of the protocol itself (405, 406, 415 ...), for which an ErrorCode alone does not say the status. */
export class HttpProblem extends ArchiveError {
  override readonly name = 'HttpProblem';
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly available: readonly string[] | undefined;

  constructor(status: number, message: string, options: HttpProblemOptions = {}) {
    super(options.code ?? 'NOT_SUPPORTED', message, options.cause === undefined ? {} : { cause: options.cause });
    this.status = status;
    this.headers = options.headers ?? {};
    this.available = options.available;
  }
}

/** A ready answer for an error. */
export interface ProblemAnswer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

/**
 * The answer for anything thrown. The text of an ArchiveError is written for people and carries no patient data, so it
 * is shown; that of any other error is not.
 */
export function problemAnswer(error: unknown, retryAfterSeconds: number): ProblemAnswer {
  const known = STATUS_OF[codeOf(error)];
  const status = error instanceof HttpProblem ? error.status : known.status;
  const title = error instanceof HttpProblem ? (TITLE_OF[status] ?? known.title) : known.title;
  const detail = error instanceof ArchiveError ? error.message : 'an unexpected fault; the log has it';
  return {
    status,
    headers: {
      ...(error instanceof HttpProblem ? error.headers : {}),
      ...(status === 503 ? { 'Retry-After': String(retryAfterSeconds) } : {}),
      'Content-Type': 'application/problem+json',
    },
    body: JSON.stringify({
      title,
      status,
      detail,
      ...(error instanceof HttpProblem && error.available !== undefined ? { available: error.available } : {}),
    }),
  };
}

/** (0008,1197) Failure Reason, PS3.18 Table I.2-2 and PS3.7 Annex C. */
export const FAILURE = {
  processing: 0x0110,
  duplicateSop: 0x0111,
  sopClassNotSupported: 0x0122,
  notAuthorized: 0x0124,
  outOfResources: 0xa700,
  mismatch: 0xa900,
  cannotUnderstand: 0xc000,
  transferSyntaxNotSupported: 0xc122,
} as const;

/** (0008,1196) Warning Reason, PS3.18 Table I.2-1. */
export const WARNING = { coercion: 0xb000, discarded: 0xb006, mismatch: 0xb007 } as const;

const REASON_OF_FAULT: Readonly<Record<DicomFault, number>> = {
  NOT_DICOM: FAILURE.cannotUnderstand,
  MALFORMED: FAILURE.cannotUnderstand,
  TRUNCATED: FAILURE.cannotUnderstand,
  IDENTITY: FAILURE.mismatch,
  TRANSFER_SYNTAX: FAILURE.transferSyntaxNotSupported,
  LIMIT: FAILURE.cannotUnderstand,
};

const REASON_OF_CODE: Readonly<Record<ErrorCode, number>> = {
  CONFLICT: FAILURE.duplicateSop,
  FORBIDDEN: FAILURE.notAuthorized,
  NOT_SUPPORTED: FAILURE.sopClassNotSupported,
  INVALID: FAILURE.cannotUnderstand,
  LIMIT: FAILURE.outOfResources,
  FULL: FAILURE.outOfResources,
  UNAVAILABLE: FAILURE.outOfResources,
  LOCKED: FAILURE.outOfResources,
  ABSENT: FAILURE.processing,
  NOT_FOUND: FAILURE.processing,
  LOST: FAILURE.processing,
  CORRUPT: FAILURE.processing,
  WRONG_KEY: FAILURE.processing,
  SUITE_REFUSED: FAILURE.processing,
  FOREIGN: FAILURE.processing,
  ABORTED: FAILURE.processing,
  INTERNAL: FAILURE.processing,
};

/** The reason code of a refused instance. `study` is the one that the request's path names, if it does. */
export function failureReason(outcome: StoreOutcome & { readonly status: 'refused' }, study?: string): number {
  if (outcome.fault !== null) return REASON_OF_FAULT[outcome.fault];
  const other = outcome.instance.study;
  if (outcome.code === 'CONFLICT' && study !== undefined && other !== undefined && other !== study) {
    return FAILURE.mismatch;
  }
  return REASON_OF_CODE[outcome.code];
}

/**
 * The one reason code of all that was odd about a stored instance, the gravest first: what is structural is a mismatch, elements of
 * sent metadata that were left out come next, and what is read leniently or was written otherwise counts as coercion. Bytes that were sent as
 * DICOM are never touched.
 */
export function warningReason(warnings: readonly DicomWarning[]): number {
  const kinds = new Set(warnings.map((each) => each.kind));
  kinds.delete('CHARSET');
  kinds.delete('VALUE');
  const discarded = kinds.delete('DISCARDED');
  if (kinds.size > 0) return WARNING.mismatch;
  return discarded ? WARNING.discarded : WARNING.coercion;
}
