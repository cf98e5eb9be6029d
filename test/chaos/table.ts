// The table of docs/reliability.md: one row a fault, in chapters, between two markers. What a run saw replaces what the document said of the
// same fault; the others stay as they are.
import { type Fault, KINDS, type Row } from './fault.js';

const BEGIN = '<!-- faults: begin (npm run chaos -- --table) -->';
const END = '<!-- faults: end -->';
const HEAD = [
  '| fault | no. | injected how | expected | seen | requests failed | detected | well again |',
  '|---|---|---|---|---|---|---|---|',
].join('\n');
const CELLS = 8;

/** What the document says of each fault, by name: the cells of its row, from left to right. */
export function rowsOf(document: string): ReadonlyMap<string, readonly string[]> {
  const rows = new Map<string, readonly string[]>();
  for (const line of between(document).split('\n')) {
    const cells = line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''));
    if (!line.startsWith('| ') || cells.length !== CELLS || cells[0] === 'fault') continue;
    rows.set(cells[0] ?? '', cells);
  }
  return rows;
}

/** The cells of a fault's row that do not depend on a run: name, number, means, what is expected. */
export function fixedCells({ name, number, means, expected }: Fault): readonly string[] {
  return [name, number === null ? '' : String(number), means, expected].map(plain);
}

/** The document with a table of the library, with what these rows saw. */
export function withTable(document: string, library: readonly Fault[], rows: readonly Row[]): string {
  const before = rowsOf(document);
  const seen = new Map(rows.map((row) => [row.fault.name, row]));
  const rowOf = (fault: Fault) => {
    const row = seen.get(fault.name);
    const old = before.get(fault.name)?.slice(4);
    const measured =
      row === undefined || row.skipped !== null ? (old ?? ['not tried yet', '', '', '']) : measuredCells(row);
    return `| ${[...fixedCells(fault), ...measured].join(' | ')} |`;
  };
  const chapters = Object.entries(KINDS).flatMap(([kind, title]) => {
    const faults = library.filter((one) => one.kind === kind);
    return faults.length === 0 ? [] : [`### ${title}\n\n${HEAD}\n${faults.map(rowOf).join('\n')}\n`];
  });
  const [head, tail] = [document.split(BEGIN)[0] ?? '', document.split(END)[1] ?? ''];
  return `${head}${BEGIN}\n\n${chapters.join('\n')}\n${END}${tail}`;
}

function measuredCells({ seen, failed, detectMs, recoverMs, problems }: Row): readonly string[] {
  const verdict = problems.length === 0 ? seen || 'as expected' : `**not as expected**: ${problems.join('; ')}`;
  return [plain(verdict), failed, time(detectMs), time(recoverMs)];
}

function time(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** As a cell may have it. */
function plain(text: string): string {
  return text.replaceAll('|', '/').replaceAll('\n', ' ');
}

function between(document: string): string {
  const [, after] = document.split(BEGIN);
  return after?.split(END)[0] ?? '';
}
