// What a command may touch of its surroundings: where it prints, what it was given, how it ends. Results go to standard
// output, everything else (progress, plans, errors) to standard error, so that `--json` can be piped.
import { ArchiveError } from '../tiering/core/errors.js';
import { type ExitCode, exitCodeOf } from './exit.js';
import type { ProgressStream } from './progress.js';

export interface Io {
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborts when the user asks to stop (Ctrl-C). */
  readonly signal: AbortSignal;
  /** Sets how the process will end. */
  exit(code: ExitCode): void;
}

export function print(io: Io, text: string): void {
  io.stdout.write(`${text}\n`);
}

export function note(io: Io, text: string): void {
  io.stderr.write(`${text}\n`);
}

export function printJson(io: Io, value: unknown): void {
  print(io, JSON.stringify(value, null, 2));
}

/**
 * Runs a command's action: its result is the exit code; what it throws is one line on standard error, and with
 * `--json` an object `{ error: { code, detail } }` on standard output.
 */
export async function finish(io: Io, json: boolean, action: () => Promise<ExitCode>): Promise<void> {
  try {
    io.exit(await action());
  } catch (error) {
    const code = error instanceof ArchiveError ? error.code : 'INTERNAL';
    const detail = error instanceof Error ? error.message : String(error);
    if (json) printJson(io, { error: { code, detail } });
    note(io, `filmroom: ${detail}`);
    io.exit(exitCodeOf(error));
  }
}
