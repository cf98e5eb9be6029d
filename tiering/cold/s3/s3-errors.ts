// What an error of the AWS SDK, of S3 or of the network means as an ArchiveError. The one file that
// knows their names. ABSENT comes from NoSuchKey alone: any other 404 may be a proxy, or a bucket that is gone.
import { ArchiveError, type ErrorCode } from '../../core/errors.js';

const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  NoSuchKey: ['ABSENT', 'no such object'],
  NoSuchBucket: ['UNAVAILABLE', 'the bucket does not exist (NoSuchBucket); create it, or correct its name'],
  PreconditionFailed: ['CONFLICT', 'the object exists already'],
  InvalidRange: ['CORRUPT', 'the object is shorter than the range asked for'],
  XAmzContentSHA256Mismatch: ['CORRUPT', "the body's SHA-256 is not the one given (XAmzContentSHA256Mismatch)"],
  BadDigest: ['CORRUPT', 'the body arrived changed (BadDigest)'],
  IncompleteBody: ['UNAVAILABLE', 'the body did not arrive whole (IncompleteBody)'],
  EntityTooLarge: ['LIMIT', 'the object is longer than the server takes (EntityTooLarge)'],
  QuotaExceeded: ['FULL', 'the quota is used up (QuotaExceeded)'],
  XMinioStorageFull: ['FULL', 'the storage is full (XMinioStorageFull)'],
  XMinioAdminBucketQuotaExceeded: ['FULL', 'the quota is used up (XMinioAdminBucketQuotaExceeded)'],
  RequestTimeTooSkewed: [
    'UNAVAILABLE',
    'clocks differ by more than the server allows (RequestTimeTooSkewed); set the time of this machine, best by NTP',
  ],
  InvalidAccessKeyId: ['UNAVAILABLE', 'the access key is refused: it is not known there (InvalidAccessKeyId)'],
  SignatureDoesNotMatch: ['UNAVAILABLE', 'the access key is refused: its secret is wrong (SignatureDoesNotMatch)'],
  UserSuspended: ['UNAVAILABLE', 'the access key is refused: its account is suspended (UserSuspended)'],
  AccessDenied: [
    'UNAVAILABLE',
    'access is denied (AccessDenied); the key needs get, put, list and delete in this bucket',
  ],
  ExpiredToken: ['UNAVAILABLE', 'the access key is refused: its session token has expired (ExpiredToken)'],
  SlowDown: ['UNAVAILABLE', 'it is asked too much and says so (SlowDown); it is asked less until it answers'],
  TooManyRequests: [
    'UNAVAILABLE',
    'it is asked too much and says so (TooManyRequests); it is asked less until it answers',
  ],
  CredentialsProviderError: ['UNAVAILABLE', 'no credentials were found; configure accessKeyId and secretAccessKey'],
  PermanentRedirect: ['UNAVAILABLE', 'the bucket is in another region (PermanentRedirect); correct region or endpoint'],
  AuthorizationHeaderMalformed: ['UNAVAILABLE', 'the region is wrong (AuthorizationHeaderMalformed)'],
  NotImplemented: ['NOT_SUPPORTED', 'the server does not implement this (NotImplemented); set the provider to generic'],
  MissingContentLength: ['NOT_SUPPORTED', 'the server refuses a body without length (MissingContentLength)'],
  ECONNREFUSED: ['UNAVAILABLE', 'nothing listens there (ECONNREFUSED)'],
  ENOTFOUND: [
    'UNAVAILABLE',
    'the host name does not resolve (ENOTFOUND); look at the endpoint and at the name service',
  ],
  EAI_AGAIN: ['UNAVAILABLE', 'the host name does not resolve: the name service does not answer (EAI_AGAIN)'],
  ECONNRESET: ['UNAVAILABLE', 'the connection was cut (ECONNRESET)'],
  EPIPE: ['UNAVAILABLE', 'the connection was cut (EPIPE)'],
  ERR_STREAM_PREMATURE_CLOSE: ['UNAVAILABLE', 'the connection was cut in the middle of the body'],
  EHOSTUNREACH: ['UNAVAILABLE', 'there is no way to it (EHOSTUNREACH); look at the network'],
  ENETUNREACH: ['UNAVAILABLE', 'there is no way to it (ENETUNREACH); look at the network'],
  CERT_HAS_EXPIRED: ['UNAVAILABLE', 'its TLS certificate has expired (CERT_HAS_EXPIRED); it must be renewed there'],
  CERT_NOT_YET_VALID: [
    'UNAVAILABLE',
    'its TLS certificate is not valid yet (CERT_NOT_YET_VALID); look at the time of this machine and of that one',
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'UNAVAILABLE',
    'its TLS certificate is of another name (ERR_TLS_CERT_ALTNAME_INVALID); look at the endpoint',
  ],
  ETIMEDOUT: ['UNAVAILABLE', 'it did not answer in time (ETIMEDOUT)'],
  TimeoutError: ['UNAVAILABLE', 'it did not answer in time'],
};

const TRANSIENT: ReadonlySet<string> = new Set([
  ...['SlowDown', 'RequestTimeout', 'InternalError', 'ServiceUnavailable', 'OperationAborted', 'IncompleteBody'],
  ...['ConditionalRequestConflict', 'TooManyRequests', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN'],
  ...['TimeoutError', 'ERR_STREAM_PREMATURE_CLOSE'],
]);

interface Facts {
  /** The error's own name, S3's code among them. */
  readonly name: string;
  /** The system's code: ECONNRESET and the like. */
  readonly system: string | undefined;
  readonly status: number | undefined;
}

function factsOf(error: unknown): Facts {
  if (!(error instanceof Error)) return { name: String(error), system: undefined, status: undefined };
  const { name } = error;
  const system = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const metadata = '$metadata' in error && typeof error.$metadata === 'object' ? error.$metadata : null;
  const status =
    metadata !== null && 'httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number'
      ? metadata.httpStatusCode
      : undefined;
  return { name, system, status };
}

/** Whether the same request may well succeed a moment later. */
export function isTransient(error: unknown): boolean {
  if (error instanceof ArchiveError) return false;
  const { name, system, status } = factsOf(error);
  if (TRANSIENT.has(name) || (system !== undefined && TRANSIENT.has(system))) return true;
  return status === 429 || (status !== undefined && status >= 500 && status !== 501 && status !== 507);
}

/** Whether a HEAD was answered with 404: without a body it cannot say whether the key or the bucket is missing. */
export function isBareNotFound(error: unknown): boolean {
  const { name, status } = factsOf(error);
  return status === 404 && lookup(name) === undefined;
}

/** The ArchiveError for what the SDK threw. `what` says which call on which key, `place` which bucket and endpoint. */
export function s3Error(error: unknown, what: string, place: string): ArchiveError {
  if (error instanceof ArchiveError) return error;
  const facts = factsOf(error);
  const [code, text] = meaningOf(facts);
  return new ArchiveError(code, `${what} at ${place}: ${text}`, { cause: error });
}

function meaningOf({ name, system, status }: Facts): readonly [ErrorCode, string] {
  const known = lookup(name) ?? lookup(system);
  if (known !== undefined) return known;
  if (system !== undefined && /CERT|SSL|TLS/.test(system)) {
    return ['UNAVAILABLE', `its TLS certificate is not accepted (${system})`];
  }
  if (status === undefined) return ['UNAVAILABLE', system ?? name];
  // The SDK could not read an answer that says it is a success: something else answered, or it was cut.
  if (status >= 200 && status < 300) return ['CORRUPT', `the answer (${status}) is not what S3 answers (${name})`];
  if (status === 507) return ['FULL', `the storage is full (${name})`];
  if (status === 412) return ['CONFLICT', 'the object exists already'];
  if (status === 416) return ['CORRUPT', 'the object is shorter than the range asked for'];
  if (status === 501) return ['NOT_SUPPORTED', `the server does not implement this (${name})`];
  if (status === 403 || status === 401) return ['UNAVAILABLE', `access is refused (${status} ${name})`];
  if (status === 429)
    return ['UNAVAILABLE', `it is asked too much and says so (429 ${name}); it is asked less until it answers`];
  return ['UNAVAILABLE', `it answered ${status} (${name})`];
}

function lookup(name: string | undefined): readonly [ErrorCode, string] | undefined {
  return name !== undefined && Object.hasOwn(CODES, name) ? CODES[name] : undefined;
}
