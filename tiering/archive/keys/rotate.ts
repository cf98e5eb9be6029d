// Rotation: a new key, kept before anything is wrapped under it, then every pack and every delete on every replica under it; with `reseal`,
// packs under DEKs of their own once more, since who has the old key and copied a manifest has the DEK for good. What is left to do is derived from what index and replicas hold, so that a rotation that was killed anywhere is simply run again.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import { withCurrentKek } from '../../format/keyring.js';
import type { JobFailure, JobOptions, RotateReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { jobFailure } from '../failures.js';
import { ByteRate } from '../pacing/byte-rate.js';
import type { Rewrapped } from './holders.js';
import { resealPack } from './reseal-pack.js';
import { rewrapPack } from './rewrap-pack.js';
import { rewrapDelete } from './rewrap-tombstone.js';

/** Each is a few small objects and round trips; a manifest of the greatest length is 64 MiB. */
const AT_ONCE = 4;
/** The key that a rotation is under way to; empty when none is. */
const SETTING = 'keys.rotating';
const COUNT_PAGE = 1_000;

/** After the key, where packs are being sealed anew under it. */
const RESEALING = ' reseal';

/** As Archive.rotateKeys. */
export async function rotateKeys(
  ctx: ArchiveContext,
  options: JobOptions & { readonly resume?: boolean; readonly reseal?: boolean },
): Promise<RotateReport> {
  return ctx.keys.alone(async () => {
    const { current } = ctx.keyring;
    const begun = await ctx.index.setting(SETTING);
    const underWay = begun === current + RESEALING;
    const reseal = options.reseal === true || underWay;
    refuseOtherThan(underWay, options);
    // Packs that a rotation has wrapped under the current key have their old DEK: sealing anew begins with a key of its own.
    const resumed = underWay || (!reseal && (options.resume === true || begun === current));
    if (!resumed) await beginNewKey(ctx, reseal);
    const job = new Rotation(ctx, options, reseal);
    await job.run();
    const report = job.report(resumed);
    if (report.failures.length === 0 && report.unavailable.length === 0) {
      await ctx.index.setSetting(SETTING, '');
      await ctx.index.commitDurable();
    }
    return report;
  });
}

/** A new key in the middle would hide which packs were sealed anew already. */
function refuseOtherThan(
  underWay: boolean,
  { resume, reseal }: { readonly resume?: boolean; readonly reseal?: boolean },
): void {
  if (underWay && resume !== true && reseal !== true) {
    throw new ArchiveError(
      'CONFLICT',
      'packs are being sealed anew: filmroom keys rotate --reseal --resume ends that first',
    );
  }
  if (!underWay && resume === true && reseal === true) {
    throw new ArchiveError(
      'CONFLICT',
      'no packs are being sealed anew: filmroom keys rotate --reseal --yes begins with it',
    );
  }
}

/** The setting first: a kill between it and the key leaves the name of a key that no keyring has, and the next call makes another. */
async function beginNewKey(ctx: ArchiveContext, reseal: boolean): Promise<void> {
  const { provider, archiveId } = ctx.keyring;
  const kek = await provider.draw({ archiveId, random: ctx.random, clock: ctx.clock });
  await ctx.index.setSetting(SETTING, kek.id + (reseal ? RESEALING : ''));
  await ctx.index.commitDurable();
  await ctx.keys.change(withCurrentKek(ctx.keyring, kek));
  ctx.log({ level: 'info', event: 'key-made', detail: `${kek.id} wraps from now on; keep a copy of the new keyring` });
}

class Rotation {
  readonly #ctx: ArchiveContext;
  readonly #options: JobOptions;
  readonly #reseal: boolean;
  readonly #rate: ByteRate;
  readonly #failures: JobFailure[] = [];
  readonly #lacking = new Set<string>();
  #packs = 0;
  #total = 0;
  #rewrapped = 0;
  #resealed = 0;
  #removed = 0;
  #bytes = 0;
  #bytesTotal = 0;

  constructor(ctx: ArchiveContext, options: JobOptions, reseal: boolean) {
    this.#ctx = ctx;
    this.#options = options;
    this.#reseal = reseal;
    this.#rate = new ByteRate(ctx.clock, ctx.policy.scrubBytesPerSecond);
  }

  async run(): Promise<void> {
    const { index } = this.#ctx;
    const { signal } = this.#options;
    const { current } = this.#ctx.keyring;
    for await (const { seal, bytes } of index.packs({})) {
      if (seal !== null) this.#total += 1;
      if (this.#reseal && seal !== null && seal.kekId !== current)
        this.#bytesTotal += bytes * this.#ctx.replicas.targets.length;
      if (this.#total % COUNT_PAGE === 0) this.#tell();
    }
    this.#tell();
    await forEachLimited(index.packs({}), this.#reseal ? 1 : AT_ONCE, async ({ id, seal }) => {
      // What is sealed from now on is sealed under the current key.
      if (seal === null) return;
      await this.#attempt(id, () => (this.#reseal ? this.#sealAnew(id) : rewrapPack(this.#ctx, id, signal)));
      this.#packs += 1;
      this.#tell();
    });
    await forEachLimited(index.tombstones({}), AT_ONCE, async (record) =>
      this.#attempt(record.name, () => rewrapDelete(this.#ctx, record, signal)),
    );
    // Also of an archive without a pack it is known now who did not answer.
    for (const { name, state } of this.#ctx.replicas.state()) if (state !== 'available') this.#lacking.add(name);
  }

  async #sealAnew(id: PackId): Promise<Rewrapped> {
    const { bytes, ...done } = await resealPack(this.#ctx, id, this.#rate, this.#options.signal);
    if (done.rewrapped) this.#resealed += 1;
    this.#bytes += bytes;
    return done;
  }

  report(resumed: boolean): RotateReport {
    return {
      key: this.#ctx.keyring.current,
      resumed,
      packs: this.#packs,
      rewrapped: this.#rewrapped,
      resealed: this.#resealed,
      bytes: this.#bytes,
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
      step: this.#reseal ? 'sealing anew' : 'wrapping anew',
      packsDone: this.#packs,
      packsTotal: Math.max(this.#total, this.#packs),
      bytesDone: this.#bytes,
      bytesTotal: Math.max(this.#bytesTotal, this.#bytes),
    });
  }
}
