// The process around the command line: its streams, its signals, its exit code. Started through filmroom.cts.
import { readFileSync } from 'node:fs';
import { ArchiveError } from '../tiering/core/errors.js';
import { runProgram } from './program.js';

const stop = new AbortController();
const serving = process.argv[2] === 'serve';
if (!serving) {
  // The first Ctrl-C lets a command clean up (a job is cancelled); the second ends it at once.
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort(new ArchiveError('ABORTED', 'stopped'));
  });
}
// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
await runProgram(
  {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    cwd: process.cwd(),
    signal: stop.signal,
    exit: (code) => {
      process.exitCode = code;
    },
  },
  process.argv.slice(2),
  manifest.version,
);
