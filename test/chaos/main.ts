// Runs the fault library by hand.
//   npm run chaos                       all of it, two servers at a time
//   npm run chaos -- --list             what there is
//   npm run chaos -- --only WORD...     those whose name has one of the words in it
//   npm run chaos -- --missing          those that the document has no row of
//   npm run chaos -- --lanes 1          one server at a time
//   npm run chaos -- --table            writes the table of docs/reliability.md; with --only, the rows of these
import { readFileSync, writeFileSync } from 'node:fs';
import type { Row } from './fault.js';
import { LIBRARY } from './library.js';
import { LibraryRun } from './run-library.js';
import { rowsOf, withTable } from './table.js';

const DOCUMENT = new URL('../../../docs/reliability.md', import.meta.url);

const words = process.argv.slice(2);
const has = (flag: string) => words.includes(flag);
const after = (flag: string) => (has(flag) ? words[words.indexOf(flag) + 1] : undefined);
const only = has('--only') ? words.slice(words.indexOf('--only') + 1).filter((word) => !word.startsWith('--')) : [];
const said = rowsOf(readFileSync(DOCUMENT, 'utf8'));
/** Whether the document has seen it come out right. */
const isSaid = (seen: string | undefined) => seen !== undefined && !/^(not tried yet|\*\*not)/.test(seen);
const wanted = LIBRARY.filter(
  ({ name, stage, kind }) =>
    !(has('--missing') && isSaid(said.get(name)?.[4])) &&
    (only.length === 0 || only.some((word) => name.includes(word) || stage === word || kind === word)),
);

function line({ fault, seen, failed, detectMs, recoverMs, problems, skipped }: Row): string {
  const verdict = skipped !== null ? `skipped, ${skipped}` : problems.length === 0 ? 'ok' : problems.join(' | ');
  const ms = [detectMs, recoverMs].map((one) => (one === null ? '-' : `${Math.round(one)} ms`)).join(' / ');
  return `${fault.name}: ${verdict}\n    ${seen} (${failed}; ${ms})`;
}

if (has('--list')) for (const { name, stage } of wanted) process.stdout.write(`${stage}: ${name}\n`);
else {
  const began = performance.now();
  const rows: Row[] = [];
  const run = new LibraryRun(wanted, {
    lanes: Number(after('--lanes') ?? 2),
    onRow: (row) => {
      rows.push(row);
      if (has('--table')) writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, 'utf8'), LIBRARY, [row]));
      process.stdout.write(`${line(row)}\n`);
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void run.abandon().finally(() => process.exit(130)));
  }
  for (const fault of wanted) await run.row(fault);
  await run.close();
  const bad = rows.filter(({ problems }) => problems.length > 0).length;
  const skipped = rows.filter((row) => row.skipped !== null).length;
  const took = Math.round((performance.now() - began) / 1000);
  process.stdout.write(
    `${rows.length} faults in ${took} s: ${rows.length - bad - skipped} ok, ${bad} not, ${skipped} skipped\n`,
  );
  process.exitCode = bad > 0 ? 1 : 0;
}
