// How quick a volume's calls are and how many of them fail, lately and as a rule, so that slow is a state and what gets worse is told of
// before it fails. Histograms that forget: no timer, nothing kept of a single call.
import type { Clock } from '../../core/clock.js';

export type CallKind = 'read' | 'write' | 'sync' | 'probe';
const KINDS: readonly CallKind[] = ['read', 'write', 'sync', 'probe'];
const NOUN: Readonly<Record<CallKind, string>> = { read: 'reads', write: 'writes', sync: 'syncs', probe: 'probes' };

/** One call that is under way. */
export interface PulseCall {
  readonly kind: CallKind;
  readonly bytes: number;
  readonly begunMs: number;
}

export interface Signs {
  /** In what way it is slow now, for people; null when it is not. */
  readonly slow: string | null;
  /** What gets worse, against what is usual with this volume; null when nothing does. */
  readonly trend: string | null;
}

/** Milliseconds by which nine of ten calls are over, lately; null of kinds of which there were too few. */
export type Latencies = Readonly<Record<CallKind, number | null>>;

const MiB = 1024 * 1024;
const LATELY_HALF_MS = 20_000;
const USUAL_HALF_MS = 24 * 3600 * 1000;
const ERRORS_HALF_MS = 10 * 60_000;
/** Calls that say something of now, and calls that make a habit. */
const LATELY_MIN = 4;
const USUAL_MIN = 50;

/** Whatever is usual with it: nobody should wait so long for a MiB. */
const SLOW_MS = 1_000;
const SLOW_TIMES = 8;
const SLOW_TIMES_FROM_MS = 250;
/** One call that is not over after this. */
const STUCK_MS = 2_000;
/** Worse than usual by so much, and worth a word, in so many looks in a row. */
const TREND_TIMES = 4;
const TREND_FROM_MS = 50;
const TREND_LOOKS = 3;
const TREND_ERRORS = 3;

/** Two buckets for each doubling, from a quarter of a millisecond to about a minute. */
const BUCKETS = 36;
const BUCKET_FROM_MS = 0.25;

class Forgetful {
  readonly #counts = new Float64Array(BUCKETS);
  #weight = 0;

  get weight(): number {
    return this.#weight;
  }

  add(ms: number): void {
    const at = Math.ceil(2 * Math.log2(Math.max(ms, BUCKET_FROM_MS) / BUCKET_FROM_MS));
    this.#counts[Math.min(BUCKETS - 1, at)] = (this.#counts[Math.min(BUCKETS - 1, at)] ?? 0) + 1;
    this.#weight += 1;
  }

  forget(factor: number): void {
    for (let at = 0; at < BUCKETS; at += 1) this.#counts[at] = (this.#counts[at] ?? 0) * factor;
    this.#weight *= factor;
  }

  /** The upper bound of the bucket in which nine of ten are reached. */
  ninetieth(): number {
    let sum = 0;
    for (let at = 0; at < BUCKETS; at += 1) {
      sum += this.#counts[at] ?? 0;
      if (sum >= this.#weight * 0.9) return BUCKET_FROM_MS * 2 ** (at / 2);
    }
    return BUCKET_FROM_MS * 2 ** ((BUCKETS - 1) / 2);
  }
}

interface Habit {
  readonly lately: Forgetful;
  readonly usual: Forgetful;
  /** Looks in a row that found it worse than usual. */
  worse: number;
}

export class Pulse {
  readonly #clock: Clock;
  readonly #habits = new Map<CallKind, Habit>(
    KINDS.map((kind) => [kind, { lately: new Forgetful(), usual: new Forgetful(), worse: 0 }]),
  );
  readonly #underWay = new Set<PulseCall>();
  #errorsLately = 0;
  #errorsUsual = 0;
  #lookedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lookedMs = clock.monotonicMs();
  }

  begin(kind: CallKind, bytes: number): PulseCall {
    const call = { kind, bytes, begunMs: this.#clock.monotonicMs() };
    this.#underWay.add(call);
    return call;
  }

  /** `failed`: by the volume. `given up`: by its caller, so that it says only how long it took at least. */
  end(call: PulseCall, how: 'done' | 'failed' | 'given up'): void {
    this.#underWay.delete(call);
    const ms = perMiB(this.#clock.monotonicMs() - call.begunMs, call.bytes);
    if (how === 'failed') {
      this.#errorsLately += 1;
      this.#errorsUsual += 1;
    }
    const habit = this.#habits.get(call.kind);
    if (habit === undefined || (how === 'given up' && ms < SLOW_TIMES_FROM_MS)) return;
    habit.lately.add(ms);
    // What is out of the ordinary does not become the habit before somebody has seen it.
    if (habit.worse === 0) habit.usual.add(ms);
  }

  latencies(): Latencies {
    const of = (kind: CallKind) => {
      const lately = this.#habits.get(kind)?.lately;
      return lately === undefined || lately.weight < LATELY_MIN ? null : lately.ninetieth();
    };
    return { read: of('read'), write: of('write'), sync: of('sync'), probe: of('probe') };
  }

  /** How it does, and the next step of forgetting: to be called once for each probe. */
  look(): Signs {
    const now = this.#clock.monotonicMs();
    const passedMs = now - this.#lookedMs;
    this.#lookedMs = now;
    let slow: string | null = this.#stuck(now);
    let trend: string | null = this.#errorTrend();
    for (const [kind, habit] of this.#habits) {
      const signs = look(kind, habit);
      slow ??= signs.slow;
      trend ??= signs.trend;
      habit.lately.forget(half(passedMs, LATELY_HALF_MS));
      habit.usual.forget(half(passedMs, USUAL_HALF_MS));
    }
    this.#errorsLately *= half(passedMs, ERRORS_HALF_MS);
    this.#errorsUsual *= half(passedMs, USUAL_HALF_MS);
    return { slow, trend };
  }

  #stuck(now: number): string | null {
    for (const { kind, bytes, begunMs } of this.#underWay) {
      const ms = perMiB(now - begunMs, bytes);
      if (ms >= STUCK_MS) return `one of its ${NOUN[kind]} is not over after ${Math.round(now - begunMs)} ms`;
    }
    return null;
  }

  /** Calls that failed although the probes after them worked. */
  #errorTrend(): string | null {
    const expected = this.#errorsUsual * (ERRORS_HALF_MS / USUAL_HALF_MS);
    if (this.#errorsLately < TREND_ERRORS || this.#errorsLately < TREND_TIMES * expected) return null;
    return `${Math.round(this.#errorsLately)} calls failed within the last minutes`;
  }
}

function look(kind: CallKind, habit: Habit): Signs {
  const { lately, usual } = habit;
  if (lately.weight < LATELY_MIN) {
    habit.worse = 0;
    return { slow: null, trend: null };
  }
  const now = lately.ninetieth();
  const known = usual.weight >= USUAL_MIN ? usual.ninetieth() : null;
  const times = known === null ? 1 : now / known;
  const told = `${NOUN[kind]} take ${Math.round(now)} ms`;
  const usually = known === null ? '' : `, usually ${known < 10 ? known.toFixed(1) : Math.round(known)} ms`;
  habit.worse = times >= TREND_TIMES && now >= TREND_FROM_MS ? habit.worse + 1 : 0;
  return {
    slow: now >= SLOW_MS || (times >= SLOW_TIMES && now >= SLOW_TIMES_FROM_MS) ? told + usually : null,
    trend: habit.worse >= TREND_LOOKS ? told + usually : null,
  };
}

/** Long calls may take longer. */
function perMiB(ms: number, bytes: number): number {
  return ms / (1 + bytes / MiB);
}

function half(passedMs: number, halfMs: number): number {
  return 0.5 ** (passedMs / halfMs);
}
