// How far a scrub has come and what it found until then: kept in the index, so that one that was stopped, or killed, is gone on with.
import { codeOf } from '../../core/errors.js';
import { type PackId, parsePackId } from '../../core/ids.js';
import type { PackFilter, PackRecord } from '../../index/index.js';
import type { ScrubFinding } from '../archive.js';
import type { ArchiveContext } from '../context.js';

/** Packs are looked at again after a kill for as long as this at most. */
const SAVE_MS = 5_000;
/** What was found is noted for repair where it belongs; this is only the list that is shown. */
const FINDINGS_MAX = 10_000;

export type ScrubDepth = 'light' | 'deep';

export class ScrubState {
  readonly #ctx: ArchiveContext;
  readonly #depth: ScrubDepth;
  readonly resumed: boolean;
  objects = 0;
  bytes = 0;
  readonly findings: ScrubFinding[] = [];
  /** Replicas and volumes that did not answer in this call. */
  readonly unavailable = new Set<string>();
  /** As it was when the last pack had been passed: of one that is half looked at nothing counts. */
  #passed: Omit<Saved, 'findings'> | null;
  /** Findings until then. */
  #found = 0;
  #savedMs: number;

  private constructor(ctx: ArchiveContext, depth: ScrubDepth, saved: Saved | null) {
    this.#ctx = ctx;
    this.#depth = depth;
    this.resumed = saved !== null;
    this.#savedMs = ctx.clock.monotonicMs();
    this.#passed = saved;
    if (saved === null) return;
    this.objects = saved.objects;
    this.bytes = saved.bytes;
    this.findings.push(...saved.findings);
    this.#found = this.findings.length;
  }

  /** Of the scrub that was stopped, or of a new one. */
  static async load(ctx: ArchiveContext, depth: ScrubDepth): Promise<ScrubState> {
    return new ScrubState(ctx, depth, parse((await ctx.index.setting(keyOf(depth))) ?? ''));
  }

  /** The packs that are left. */
  get left(): PackFilter {
    return this.#passed === null ? {} : { after: this.#passed.after };
  }

  found(finding: ScrubFinding): void {
    if (this.findings.length >= FINDINGS_MAX) return;
    this.findings.push(finding);
    const { where, item, fault, detail } = finding;
    this.#ctx.log({ level: 'warn', event: 'scrub-finding', detail: `${item} on ${where}: ${fault}: ${detail}` });
  }

  /** The pack was looked at, on everything that answers. */
  async passed(record: PackRecord): Promise<void> {
    const { objects, bytes } = this;
    this.#passed = { after: { createdMs: record.createdMs, id: record.id }, objects, bytes };
    this.#found = this.findings.length;
    if (this.#ctx.clock.monotonicMs() - this.#savedMs >= SAVE_MS) await this.save();
  }

  async save(): Promise<void> {
    // Whoever does not answer is asked again from the beginning by the next.
    if (this.#passed === null || this.unavailable.size > 0) return;
    this.#savedMs = this.#ctx.clock.monotonicMs();
    await this.#ctx.index.setSetting(
      keyOf(this.#depth),
      JSON.stringify({ ...this.#passed, findings: this.findings.slice(0, this.#found) }),
    );
  }

  /** It came to its end: the next begins anew. */
  async end(): Promise<void> {
    const { index, clock } = this.#ctx;
    if (((await index.setting(keyOf(this.#depth))) ?? '') !== '') await index.setSetting(keyOf(this.#depth), '');
    await index.setSetting(endedKey(this.#depth), String(clock.nowMs()));
  }
}

interface Saved {
  readonly after: { readonly createdMs: number; readonly id: PackId };
  readonly objects: number;
  readonly bytes: number;
  readonly findings: readonly ScrubFinding[];
}

const keyOf = (depth: ScrubDepth) => `scrub.${depth}.at`;
const endedKey = (depth: ScrubDepth) => `scrub.${depth}.endedMs`;

/** Whether a deep scrub is to begin, or to go on, by the operator's period. */
export async function deepScrubIsDue(ctx: ArchiveContext): Promise<boolean> {
  const { scrubEveryMs } = ctx.policy;
  if (scrubEveryMs === null) return false;
  const ended = Number((await ctx.index.setting(endedKey('deep'))) ?? 0);
  return ctx.clock.nowMs() - ended >= scrubEveryMs;
}

/** Null for anything that was not written here: then it begins anew, which costs time and nothing else. */
function parse(text: string): Saved | null {
  if (text === '') return null;
  try {
    const saved = JSON.parse(text) as Saved;
    const id = parsePackId(saved.after.id);
    if (![saved.after.createdMs, saved.objects, saved.bytes].every(Number.isFinite)) return null;
    return { ...saved, after: { ...saved.after, id }, findings: [...saved.findings] };
  } catch (error) {
    if (codeOf(error) === 'ABORTED') throw error;
    return null;
  }
}
