// What is known of how long one replica takes: a moving mean that orders replicas, and the 95th
// percentile of recent calls, which says when a read is late. Kinds of work are kept apart.

/** Reads up to 512 KiB (frames, heads), longer reads (chunks), and writes. */
export type Work = 'small' | 'large' | 'write';

export const SMALL_READ_BYTES_MAX = 512 * 1024;

/** Weight of the newest call in the mean. */
const NEWEST = 0.2;
const SAMPLES_MAX = 64;
/** A mean nobody has confirmed loses half its weight in this time, so that a slow replica is tried again some day. */
const HALF_LIFE_MS = 30_000;

interface Series {
  meanMs: number;
  atMs: number;
  readonly samples: number[];
  next: number;
}

export class Latency {
  readonly #series = new Map<Work, Series>();

  /** A call ended after `ms`. */
  record(work: Work, ms: number, nowMs: number): void {
    const series = this.#series.get(work);
    if (series === undefined) {
      this.#series.set(work, { meanMs: ms, atMs: nowMs, samples: [ms], next: 1 % SAMPLES_MAX });
      return;
    }
    series.meanMs += NEWEST * (ms - series.meanMs);
    series.atMs = nowMs;
    series.samples[series.next] = ms;
    series.next = (series.next + 1) % SAMPLES_MAX;
  }

  /** A call was given up after `ms` because another replica had answered: it takes at least as long. */
  recordAtLeast(work: Work, ms: number, nowMs: number): void {
    const mean = this.#series.get(work)?.meanMs;
    if (mean !== undefined && mean >= ms) return;
    this.record(work, ms, nowMs);
    const series = this.#series.get(work);
    if (series !== undefined) series.meanMs = Math.max(series.meanMs, ms);
  }

  /** The mean, in ms; null when nothing is known. */
  meanMs(work: Work): number | null {
    return this.#series.get(work)?.meanMs ?? null;
  }

  /** For ordering replicas: the mean, less the older it is; 0 when nothing is known, so that each is tried. */
  rankMs(work: Work, nowMs: number): number {
    const series = this.#series.get(work);
    if (series === undefined) return 0;
    return series.meanMs * 0.5 ** ((nowMs - series.atMs) / HALF_LIFE_MS);
  }

  /** The 95th percentile of the last calls, in ms; null when nothing is known. */
  p95Ms(work: Work): number | null {
    const series = this.#series.get(work);
    if (series === undefined) return null;
    const sorted = [...series.samples].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))] ?? null;
  }
}
