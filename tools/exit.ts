// What the exit codes of `filmroom` mean (DESIGN section 11), in one table. Scripts rely on them.
import { codeOf } from '../tiering/core/errors.js';

export const EXIT = {
  /** All of it was done. */
  done: 0,
  /** It was not done. */
  failed: 1,
  /** The command line, the configuration or a value in it is wrong, or a confirmation is missing; nothing was touched. */
  usage: 2,
  /** Some of it was done and some was not; the output says what. */
  partly: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The code of anything thrown: what is malformed is the caller's to mend, the rest is a failure. */
export function exitCodeOf(error: unknown): ExitCode {
  return codeOf(error) === 'INVALID' ? EXIT.usage : EXIT.failed;
}

/** The code for the state in which a job ended. */
export function exitCodeOfJob(state: string): ExitCode {
  if (state === 'done') return EXIT.done;
  return state === 'partly' ? EXIT.partly : EXIT.failed;
}

/** The code of something done in pieces. Nothing to do is done. */
export function exitCodeOfCounts(done: number, failed: number): ExitCode {
  if (failed === 0) return EXIT.done;
  return done > 0 ? EXIT.partly : EXIT.failed;
}
