// No source file is longer than 400 lines: a longer one is two things. Prints those that are, and fails.
const { execFileSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');

const LINES_MAX = 400;
const names = execFileSync(
  'git',
  ['ls-files', '-co', '--exclude-standard', '*.ts', '*.cts', '*.cjs', '*.mjs', '*.js'],
  {
    encoding: 'utf8',
  },
);
const long = names
  .split('\n')
  .filter((name) => name !== '' && existsSync(name))
  .map((name) => ({ name, lines: readFileSync(name, 'utf8').split('\n').length - 1 }))
  .filter(({ lines }) => lines > LINES_MAX);
for (const { name, lines } of long) process.stderr.write(`${name}: ${lines} lines, at most ${LINES_MAX}\n`);
process.exitCode = long.length > 0 ? 1 : 0;
