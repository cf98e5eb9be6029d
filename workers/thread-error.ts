// What the loss of a worker thread means to who gave it the task.
import { ArchiveError } from '../tiering/core/errors.js';

/** An ArchiveError is passed on; LIMIT when the thread ran out of heap, INTERNAL for memory that was not its giver's, else UNAVAILABLE. */
export function threadError(error: unknown, name: string): ArchiveError {
  if (error instanceof ArchiveError) return error;
  if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new ArchiveError('LIMIT', `worker task ${name} ran out of memory`, { cause: error });
  }
  if (error instanceof Error && error.name === 'DataCloneError') {
    return new ArchiveError('INTERNAL', `worker task ${name} was given memory that is not its giver's`, {
      cause: error,
    });
  }
  return new ArchiveError('UNAVAILABLE', `worker task ${name} was lost with its thread`, { cause: error });
}
