// What a benchmark prints: a table for people, JSON for everything else. And the frame that each of them runs in, alone or
// under run.ts.
import { loadavg } from 'node:os';
import { type Figure, isMet, median } from './measure.js';

export interface Report {
  readonly bench: string;
  readonly at: string;
  readonly node: string;
  /** One-minute load before and after: two cores are not always ours alone. */
  readonly load: readonly [before: number, after: number];
  readonly seconds: number;
  readonly figures: readonly Figure[];
  /** What is known of the run and is no ratio. */
  readonly notes: readonly string[];
  /** Why there are no figures. */
  readonly skipped?: string;
}

export interface Bench {
  readonly name: string;
  run(): Promise<Pick<Report, 'figures' | 'notes' | 'skipped'>>;
}

/** Runs one benchmark as a program of its own. Fails only when it cannot measure: a missed target is a figure, not an error. */
export async function runBench(bench: Bench): Promise<void> {
  const before = loadavg()[0] ?? 0;
  const began = performance.now();
  const result = await bench.run();
  const report: Report = {
    bench: bench.name,
    at: new Date().toISOString(),
    node: process.version,
    load: [before, loadavg()[0] ?? 0],
    seconds: (performance.now() - began) / 1000,
    ...result,
  };
  process.stdout.write(process.argv.includes('--json') ? `${JSON.stringify(report)}\n` : formatReports([report]));
}

const HEADERS = ['claim', 'ours', 'reference', 'ratio', 'target', '', 'compared with'] as const;

/** The reports as one table, with the notes below it. */
export function formatReports(reports: readonly Report[]): string {
  const rows = reports.flatMap(({ figures }) => figures.map(rowOf));
  const widths = HEADERS.map((header, at) => Math.max(header.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  const table =
    rows.length === 0 ? [] : [line(HEADERS), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
  return `${[...table, ...reports.flatMap(notesOf)].join('\n')}\n`;
}

function notesOf({ bench, load, seconds, notes, skipped }: Report): string[] {
  const state = `${bench}: ${seconds.toFixed(0)} s, load ${load.map((one) => one.toFixed(1)).join(' to ')}`;
  return [skipped === undefined ? state : `${bench}: skipped, ${skipped}`, ...notes.map((note) => `  ${note}`)];
}

function rowOf(figure: Figure): string[] {
  const { claim, against, unit, ours, reference, ratio, target } = figure;
  const met = isMet(figure);
  return [
    claim,
    `${short(median(ours))} ${unit}`,
    `${short(median(reference))} ${unit}`,
    ratio.toFixed(2),
    target === null ? '-' : `${target.kind === 'at least' ? '>=' : '<='} ${target.ratio}`,
    met === null ? '' : met ? 'met' : 'missed',
    against,
  ];
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
