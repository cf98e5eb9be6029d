// A progress line: a bar that is redrawn in place on a terminal, a plain line now and then anywhere else (a log, a pipe).
import type { Progress } from '../tiering/archive/archive.js';
import { formatBytes, formatSeconds, plural } from './format.js';

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressLine {
  update(progress: Progress): void;
  /** Ends the line, so that what is printed next begins on one of its own. Idempotent. */
  end(): void;
}

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 10_000;
const BAR_CELLS = 24;

/** @param nowMs a clock that never goes back. */
export function createProgressLine(stream: ProgressStream, label: string, nowMs: () => number): ProgressLine {
  return stream.isTTY === true ? terminalLine(stream, label, nowMs) : plainLines(stream, label, nowMs);
}

/** From 0 to 1: by bytes when they are known, else by packs, else 0. */
export function shareOf(progress: Progress): number {
  const { bytesDone, bytesTotal, packsDone, packsTotal } = progress;
  const share = bytesTotal > 0 ? bytesDone / bytesTotal : packsTotal > 0 ? packsDone / packsTotal : 0;
  return Math.min(1, Math.max(0, share));
}

export function describeProgress(progress: Progress): string {
  const { step, packsDone, packsTotal, bytesDone, bytesTotal, instancesDone, perSecond, secondsLeft } = progress;
  const bytes = bytesTotal > 0 ? `, ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}` : '';
  const instances = instancesDone === undefined ? '' : `, ${plural(instancesDone, 'instance')}`;
  const rate = perSecond === undefined ? '' : `, ${perSecond}/s`;
  const left = secondsLeft === undefined || secondsLeft === null ? '' : `, ${formatSeconds(secondsLeft)} left`;
  return `${step}: ${packsDone} of ${packsTotal}${bytes}${instances}${rate}${left}`;
}

function terminalLine(stream: ProgressStream, label: string, nowMs: () => number): ProgressLine {
  let drawnMs = Number.NEGATIVE_INFINITY;
  let latest: Progress | undefined;
  let open = false;
  const draw = () => {
    if (latest === undefined) return;
    const share = shareOf(latest);
    const filled = Math.round(share * BAR_CELLS);
    const bar = '#'.repeat(filled) + '.'.repeat(BAR_CELLS - filled);
    const line = `${label} [${bar}] ${String(Math.floor(share * 100)).padStart(3)}% ${describeProgress(latest)}`;
    // Cut to the width: a line that wraps cannot be redrawn in place.
    stream.write(`\r${line.slice(0, (stream.columns ?? 80) - 1)}\x1b[K`);
    open = true;
    drawnMs = nowMs();
  };
  return {
    update(progress) {
      latest = progress;
      if (nowMs() - drawnMs >= REDRAW_MS) draw();
    },
    end() {
      if (!open) return;
      draw();
      stream.write('\n');
      open = false;
      latest = undefined;
    },
  };
}

function plainLines(stream: ProgressStream, label: string, nowMs: () => number): ProgressLine {
  let step: string | undefined;
  let writtenMs = Number.NEGATIVE_INFINITY;
  return {
    update(progress) {
      if (progress.step === step && nowMs() - writtenMs < PLAIN_LINE_MS) return;
      step = progress.step;
      writtenMs = nowMs();
      stream.write(`${label} ${describeProgress(progress)}\n`);
    },
    end: () => undefined,
  };
}
