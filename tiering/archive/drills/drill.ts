// A drill: a failure rehearsed on the live system, with shadow studies that are stored and read all the while, so that what a real one would
// cost is measured and not believed. It is ended and cleaned up whatever happens: when it is cancelled, when it goes wrong, and by the next
// start when the server is killed in the middle.
import { ArchiveError } from '../../core/errors.js';
import type { ReplicaName } from '../../core/ids.js';
import type { Archive, JobFailure, JobOptions } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { tellFailure } from '../failures.js';
import {
  type DrillPlan,
  type DrillReport,
  type DrillRequest,
  type DrillResult,
  LINE_DRILLS,
  NOTHING_TRIED,
} from './drill-report.js';
import { type BegunDrill, begunDrill, lastDrills, noteBegun, noteEnded, noteResult } from './drill-state.js';
import {
  awayFailure,
  brownOut,
  isInUse,
  mustBeKnown,
  objectionsTo,
  type RehearsedFailure,
  volumeFailure,
} from './failure.js';
import { rehearseIndex, type ScratchIndex } from './index-drill.js';
import { Load, type Phase } from './load.js';
import { Shadow } from './shadow.js';

/** Reader and modality run so long before anything fails. */
const BEFORE_MS = 1_000;
const LOOK_MS = 100;
/** What is not as before by then is told as a failure. */
const RECOVER_MS = 300_000;

export class Drills {
  readonly #ctx: ArchiveContext;
  readonly #archive: Archive;
  /** As Archive.remove, of studies that nobody has to keep. */
  readonly #remove: Archive['remove'];
  readonly #scratch: (() => Promise<ScratchIndex>) | undefined;
  #busy = false;

  constructor(
    ctx: ArchiveContext,
    archive: Archive,
    options: { readonly remove: Archive['remove']; readonly scratch: (() => Promise<ScratchIndex>) | undefined },
  ) {
    this.#ctx = ctx;
    this.#archive = archive;
    this.#remove = options.remove;
    this.#scratch = options.scratch;
  }

  /** How the last of each kind and name went. */
  last(): Promise<readonly DrillResult[]> {
    return lastDrills(this.#ctx.index);
  }

  /** As Archive.planDrill. */
  async plan(request: DrillRequest): Promise<DrillPlan> {
    const { what } = request;
    const name = await this.#nameOf(request);
    const exposed = what === 'index' ? null : await this.#failureOf({ what, name }).exposed();
    return { what, name, exposed, objections: objectionsTo(this.#ctx, what, exposed) };
  }

  /** As Archive.drill. */
  async run(request: DrillRequest, options: JobOptions): Promise<DrillReport> {
    const ctx = this.#ctx;
    ctx.gate.mustBeOpen();
    const { what, name, objections } = await this.plan(request);
    if (objections.length > 0 && !request.anyway) {
      throw new ArchiveError(
        'CONFLICT',
        `no drill now: ${objections.join('; ')}. Give --anyway to hold it all the same`,
      );
    }
    // Its end takes a volume back in: not one that an operator took out, or that failed by itself.
    if (what === 'volume' && !isInUse(ctx, name ?? '')) {
      throw new ArchiveError('CONFLICT', `no drill now: volume ${name} is not in use`);
    }
    if (this.#busy) throw new ArchiveError('LOCKED', 'another drill is on; wait for it, or cancel its job');
    this.#busy = true;
    try {
      const begun = { what, name, startedMs: ctx.clock.nowMs(), seed: this.#seed() };
      ctx.log({ level: 'warn', event: 'drill-begun', detail: `${what} ${name ?? ''}` });
      const found =
        what === 'index'
          ? await rehearseIndex(ctx, this.#scratch, request.forMs, options)
          : await this.#rehearse(begun, request.forMs, options);
      return await this.#keep(begun, found);
    } finally {
      this.#busy = false;
    }
  }

  /** Ends a drill in whose middle the process before this one ended. Never rejects. */
  async endInterrupted(): Promise<void> {
    const ctx = this.#ctx;
    try {
      const begun = await begunDrill(ctx.index);
      if (begun === null) return;
      ctx.log({
        level: 'warn',
        event: 'drill-interrupted',
        detail: `${begun.what} ${begun.name ?? ''}: it is ended now`,
      });
      await this.#cleanUp(begun, this.#failureOf(begun));
      await this.#keep(begun, { outcome: 'interrupted' });
    } catch (error) {
      ctx.log({ level: 'error', event: 'drill-not-ended', detail: tellFailure(ctx, error).detail });
    }
  }

  async #rehearse(begun: BegunDrill, forMs: number, options: JobOptions): Promise<Partial<DrillReport>> {
    const { clock } = this.#ctx;
    const shadow = new Shadow(this.#archive, begun.seed);
    const failure = this.#failureOf(begun);
    const failures: JobFailure[] = [];
    const tell = (step: string) =>
      options.onProgress?.({ step, packsDone: 0, packsTotal: 0, bytesDone: 0, bytesTotal: 0 });
    await noteBegun(this.#ctx.index, begun);
    let load: Load | null = null;
    let during: Phase | null = null;
    let detectedMs: number | null = null;
    let recoveredMs: number | null = null;
    let rpo: DrillReport['rpo'] = NOTHING_LOST;
    let interrupted = false;
    const phases: Phase[] = [];
    try {
      tell('storing shadow studies');
      await shadow.prepare();
      // Of a volume its replicas are to answer, of a replica the other ones: only what is proven on them, and here not hot, shows that. With no
      // replica left it is the volume that is to answer.
      await this.#protect(shadow, begun.what !== 'volume' && failure.keepsCold);
      rpo = await failure.atStake();
      load = new Load(shadow, clock);
      phases.push(load.phase);
      await clock.sleep(BEFORE_MS, options.signal);
      tell('the failure is on');
      during = load.next();
      phases.push(during);
      await failure.begin();
      detectedMs = await this.#until(() => Promise.resolve(failure.noticed()), forMs, options.signal);
      const leftMs = forMs - (clock.monotonicMs() - during.fromMs);
      if (leftMs > 0) await clock.sleep(leftMs, options.signal);
      tell('mending');
      const fromMs = clock.monotonicMs();
      phases.push(load.next());
      await failure.end();
      const mended = await this.#until(() => failure.mended(), RECOVER_MS, options.signal);
      if (mended === null) throw new ArchiveError('UNAVAILABLE', 'it is not as before, and is given no more time');
      await this.#protect(shadow, false);
      recoveredMs = Math.round(clock.monotonicMs() - fromMs);
    } catch (error) {
      interrupted = options.signal?.aborted === true;
      if (!interrupted) failures.push({ item: 'drill', ...tellFailure(this.#ctx, error) });
    }
    await load?.close();
    tell('cleaning up');
    await this.#cleanUp(begun, failure).catch((error: unknown) => {
      failures.push({ item: 'clean-up', ...tellFailure(this.#ctx, error) });
    });
    for (const kind of ['reads', 'stores'] as const) {
      const failed = phases.reduce((sum, phase) => sum + phase[kind].failed, 0);
      if (failed > 0) failures.push({ item: kind, code: 'UNAVAILABLE', detail: `${failed} failed` });
    }
    return {
      outcome: interrupted ? 'interrupted' : failures.length === 0 ? 'passed' : 'failed',
      rpo,
      rto: {
        detectedMs,
        firstReadMs: during?.reads.firstMs ?? null,
        firstStoreMs: during?.stores.firstMs ?? null,
        recoveredMs,
      },
      reads: during?.reads.told ?? NOTHING_TRIED,
      stores: during?.stores.told ?? NOTHING_TRIED,
      failures,
    };
  }

  async #protect(shadow: Shadow, evict: boolean): Promise<void> {
    const read = await this.#archive.migrate({ studies: [shadow.study] }, { keepHot: !evict });
    const stored = await this.#archive.migrate({ studies: shadow.stored }, { keepHot: true });
    const [failed] = [...read.failures, ...stored.failures];
    if (failed !== undefined) throw new ArchiveError(failed.code, `shadow studies are not protected: ${failed.detail}`);
  }

  /** Milliseconds until it is so; null when it is not by then. */
  async #until(so: () => Promise<boolean>, forMs: number, signal: AbortSignal | undefined): Promise<number | null> {
    const { clock } = this.#ctx;
    const fromMs = clock.monotonicMs();
    for (;;) {
      const now = await so();
      const passedMs = clock.monotonicMs() - fromMs;
      if (now) return Math.round(passedMs);
      if (passedMs >= forMs) return null;
      await clock.sleep(LOOK_MS, signal);
    }
  }

  /** The failure ends first: nothing else may be in its way. */
  async #cleanUp(begun: BegunDrill, failure: RehearsedFailure | null): Promise<void> {
    await failure?.end();
    await new Shadow(this.#archive, begun.seed).remove(this.#remove);
    await noteEnded(this.#ctx.index);
  }

  #failureOf({ what, name }: Pick<BegunDrill, 'what' | 'name'>): RehearsedFailure {
    const ctx = this.#ctx;
    if (what === 'volume') return volumeFailure(ctx, name ?? '');
    const names = ctx.replicas.names.filter((one) => name === null || one === name);
    if (what === 'brown-out') return brownOut(ctx, names);
    return awayFailure(ctx, names, what === 'link' ? 'cut' : 'away');
  }

  async #nameOf({ what, name }: DrillRequest): Promise<string | null> {
    const { volumes, replicas } = this.#ctx;
    if (what === 'index') return null;
    if (LINE_DRILLS.includes(what)) return name === null ? null : mustBeKnown(what, name, replicas.names);
    if (what === 'volume') return mustBeKnown('volume', name ?? only(volumes.names), volumes.names);
    return mustBeKnown('replica', name ?? (await this.#longestAgo(replicas.names)), replicas.names);
  }

  async #longestAgo(names: readonly ReplicaName[]): Promise<string | undefined> {
    const last = await this.last();
    const at = (name: string) => last.find((one) => one.what === 'replica' && one.name === name)?.startedAt ?? '';
    return [...names].sort((a, b) => (at(a) < at(b) ? -1 : 1))[0];
  }

  #seed(): number {
    return Buffer.from(this.#ctx.random.bytes(4)).readUInt32BE() % 2 ** 31;
  }

  async #keep(begun: BegunDrill, found: Partial<DrillReport>): Promise<DrillReport> {
    const ctx = this.#ctx;
    const { what, name, startedMs } = begun;
    const unsigned: Omit<DrillReport, 'report'> = {
      ...{ what, name, startedAt: new Date(startedMs).toISOString() },
      seconds: Math.round((ctx.clock.nowMs() - startedMs) / 1000),
      outcome: 'failed',
      rpo: NOTHING_LOST,
      rto: { detectedMs: null, firstReadMs: null, firstStoreMs: null, recoveredMs: null },
      ...{ reads: NOTHING_TRIED, stores: NOTHING_TRIED, compared: null, failures: [] },
      ...found,
    };
    const report = { ...unsigned, report: await ctx.reports.save('drill', unsigned) };
    await noteResult(ctx.index, report);
    const level = report.outcome === 'passed' ? 'info' : 'warn';
    ctx.log({ level, event: 'drill-ended', detail: `${what} ${name ?? ''}: ${report.outcome}` });
    return report;
  }
}

const NOTHING_LOST: DrillReport['rpo'] = { instances: 0, bytes: 0, oldestAgeSeconds: null };

function only<T>(names: readonly T[]): T | undefined {
  return names.length === 1 ? names[0] : undefined;
}
