// What codecs throw: a stream that is not what it says, and one that no codec here can do.
import { ArchiveError } from '../../tiering/core/errors.js';

/** CORRUPT: the bytes of a frame contradict themselves or their description. `what` never holds pixel or header values of a patient. */
export function corruptFrame(what: string, cause?: unknown): ArchiveError {
  return new ArchiveError('CORRUPT', `the frame cannot be decoded: ${what}`, cause === undefined ? {} : { cause });
}

/** NOT_SUPPORTED: well-formed, and no codec here does it. */
export function unsupportedFrame(what: string): ArchiveError {
  return new ArchiveError('NOT_SUPPORTED', what);
}
