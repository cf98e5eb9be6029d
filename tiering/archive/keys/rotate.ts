// Rotation: a new key, kept before anything is wrapped under it, then every pack and every delete on every replica under it. What is
// left to do is derived from what index and replicas hold, so that a rotation that was killed anywhere is simply run again.
import { codeOf } from '../../core/errors.js';
import { forEachLimited } from '../../core/queues.js';
import { withCurrentKek } from '../../format/keyring.js';
import type { JobFailure, JobOptions, RotateReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { jobFailure } from '../failures.js';
import type { Rewrapped } from './holders.js';
import { rewrapPack } from './rewrap-pack.js';
import { rewrapDelete } from './rewrap-tombstone.js';

/** Each is a few small objects and round trips; a manifest of the greatest length is 64 MiB. */
const AT_ONCE = 4;
/** The key that a rotation is under way to; empty when none is. */
const SETTING = 'keys.rotating';
const COUNT_PAGE = 1_000;

/** As Archive.rotateKeys. */
export async function rotateKeys(
  ctx: ArchiveContext,
  options: JobOptions & { readonly resume?: boolean },
): Promise<RotateReport> {
  return ctx.keys.alone(async () => {
    const resumed = options.resume === true || (await ctx.index.setting(SETTING)) === ctx.keyring.current;
    if (!resumed) await beginNewKey(ctx);
    const job = new Rotation(ctx, options);
    await job.run();
    const report = job.report(resumed);
    if (report.failures.length === 0 && report.unavailable.length === 0) {
      await ctx.index.setSetting(SETTING, '');
      await ctx.index.commitDurable();
    }
    return report;
  });
}

/** The setting first: a kill between the two leaves the name of a key that no keyring has, and the next call makes another. */
async function beginNewKey(ctx: ArchiveContext): Promise<void> {
  const { provider, archiveId } = ctx.keyring;
  const kek = await provider.draw({ archiveId, random: ctx.random, clock: ctx.clock });
  await ctx.index.setSetting(SETTING, kek.id);
  await ctx.index.commitDurable();
  await ctx.keys.change(withCurrentKek(ctx.keyring, kek));
  ctx.log({ level: 'info', event: 'key-made', detail: `${kek.id} wraps from now on; keep a copy of the new keyring` });
}

class Rotation {
  readonly #ctx: ArchiveContext;
  readonly #options: JobOptions;
  readonly #failures: JobFailure[] = [];
  readonly #lacking = new Set<string>();
  #packs = 0;
  #total = 0;
  #rewrapped = 0;
  #removed = 0;

  constructor(ctx: ArchiveContext, options: JobOptions) {
    this.#ctx = ctx;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { index } = this.#ctx;
    const { signal } = this.#options;
    for await (const { seal } of index.packs({})) {
      if (seal !== null) this.#total += 1;
      if (this.#total % COUNT_PAGE === 0) this.#tell();
    }
    this.#tell();
    await forEachLimited(index.packs({}), AT_ONCE, async ({ id, seal }) => {
      // What is sealed from now on is sealed under the current key.
      if (seal === null) return;
      await this.#attempt(id, () => rewrapPack(this.#ctx, id, signal));
      this.#packs += 1;
      this.#tell();
    });
    await forEachLimited(index.tombstones({}), AT_ONCE, async (record) =>
      this.#attempt(record.name, () => rewrapDelete(this.#ctx, record, signal)),
    );
    // Also of an archive without a pack it is known now who did not answer.
    for (const { name, state } of this.#ctx.replicas.state()) if (state !== 'available') this.#lacking.add(name);
  }

  report(resumed: boolean): RotateReport {
    return {
      key: this.#ctx.keyring.current,
      resumed,
      packs: this.#packs,
      rewrapped: this.#rewrapped,
      removed: this.#removed,
      failures: this.#failures,
      unavailable: [...this.#lacking].sort(),
    };
  }

  async #attempt(item: string, work: () => Promise<Rewrapped>): Promise<void> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    try {
      const { rewrapped, removed, lacking } = await work();
      if (rewrapped) this.#rewrapped += 1;
      this.#removed += removed;
      for (const replica of lacking) this.#lacking.add(replica);
    } catch (error) {
      signal?.throwIfAborted();
      if (codeOf(error) === 'NOT_FOUND') return;
      this.#failures.push(jobFailure(this.#ctx, item, error));
    }
  }

  #tell(): void {
    const { onProgress } = this.#options;
    onProgress?.({
      step: 'wrapping anew',
      packsDone: this.#packs,
      packsTotal: Math.max(this.#total, this.#packs),
      bytesDone: 0,
      bytesTotal: 0,
    });
  }
}
