// The archive put together: what is opened in which order, and the one object that everything above
// sees. Ready once trays are replayed; comparing whole volumes with the index goes on in the background.
import type { WorkerPool } from '../../workers/pool.js';
import type { ReplicaSet } from '../cold/replicas/replica-set.js';
import type { Clock, Random } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import type { StudyUid } from '../core/ids.js';
import type { Keyring } from '../format/keyring.js';
import { PackIds } from '../format/pack-id.js';
import type { Volume } from '../hot/volume.js';
import type { Index, InstanceRecord } from '../index/index.js';
import type { Archive, ArchiveStatus } from './archive.js';
import { Authority } from './authority/authority.js';
import { guardIndex } from './authority/guarded-index.js';
import { WriteGate } from './authority/write-gate.js';
import { type ArchiveContext, type ArchiveEvent, DEFAULT_POLICY, type Policy } from './context.js';
import { Drills } from './drills/drill.js';
import { lastDrills } from './drills/drill-state.js';
import type { ScratchIndex } from './drills/index-drill.js';
import { Schedule } from './drills/schedule.js';
import { logFailure } from './failures.js';
import { drainReplica } from './fleet/drain.js';
import { addReplica } from './fleet/fill.js';
import { Fleet, type Standing } from './fleet/fleet.js';
import { Committer } from './intake/committer.js';
import { Identities } from './intake/identities.js';
import { IngestBudget } from './intake/ingest-budget.js';
import { receive } from './intake/receive.js';
import { countKeys } from './keys/count-keys.js';
import { KeyHolder } from './keys/key-holder.js';
import { removeKey } from './keys/remove-key.js';
import { rotateKeys } from './keys/rotate.js';
import { Line } from './pacing/line.js';
import { PackLocks } from './pacing/pack-locks.js';
import { Viewers } from './pacing/viewers.js';
import { Damage } from './reading/damage.js';
import { orDoubtful, readsOf } from './reading/doubtful-absence.js';
import { readInstance } from './reading/instance-reader.js';
import { PackCatalog } from './reading/pack-catalog.js';
import { openRebuilding } from './recovery/rebuilding.js';
import { reconcilePacks } from './recovery/reconcile-packs.js';
import { repair } from './recovery/repair.js';
import { recoverTrays } from './recovery/replay-trays.js';
import { noteRetiredVolumes } from './recovery/retired-volumes.js';
import { scrub } from './recovery/scrub.js';
import { UnreadReplicas } from './recovery/unread-replicas.js';
import { UnreadTrays } from './recovery/unread-trays.js';
import { EmptyPacks } from './removal/empty-packs.js';
import { erase } from './removal/erase.js';
import { clearHold, setHold } from './removal/holds.js';
import { loadUnread, unreadDeletes } from './removal/provisional.js';
import { takeTrayTombstones } from './removal/read-tombstones.js';
import { refusalsOf } from './removal/refusals.js';
import { remove } from './removal/remove.js';
import { type ReportStore, SignedReports } from './signed-reports.js';
import { migrate, recall } from './tiers/migrate.js';
import { Movers } from './tiers/movers.js';
import { adoptVolume } from './volumes/adopt.js';
import { Failback } from './volumes/failback.js';
import { ledgersOf } from './volumes/ledgers.js';
import type { Away } from './volumes/member.js';
import { exposureOf, failVolume, loadOverrides, mustBeConfigured, returnVolume } from './volumes/volume-override.js';
import { VolumeSet, type VolumeSource } from './volumes/volume-set.js';

export interface ArchiveOptions {
  readonly index: Index;
  /** Of who has the archive now; it rises with each owner. Left out: replicas are not told, nor asked, who that is. */
  readonly ownerEpoch?: number;
  readonly volumes: readonly VolumeSource[];
  /** Opened already. */
  readonly replicas: ReplicaSet;
  readonly pool: WorkerPool;
  readonly keyring: Keyring;
  /** Keeps a keyring that replaces it: durable when it resolves. Without it keys cannot be rotated. */
  readonly saveKeyring?: (keyring: Keyring) => Promise<void>;
  /** Ends what talks to the keyring's provider; called last. */
  readonly closeKeys?: () => void;
  readonly policy?: Partial<Policy>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: (event: ArchiveEvent) => void;
  /** Where signed reports are kept; left out: nowhere. */
  readonly reports?: ReportStore;
  /** Opens an empty index beside the live one, for the drill of the index. */
  readonly scratchIndex?: () => Promise<ScratchIndex>;
  /** The index was lost, or its rebuild has not ended: it is made again in the background, and until then the archive is searched and read only. */
  readonly rebuild?: boolean;
}

/** What every job needs, with the volumes not yet opened. The archive takes over what it is given and closes it at its end. */
export function createContext(
  options: ArchiveOptions,
  onVolume: (ctx: ArchiveContext, volume: Volume, away: Away | null) => Promise<void>,
): ArchiveContext {
  const keys = new KeyHolder(options.keyring, options.saveKeyring);
  const log = options.log ?? (() => undefined);
  const gate = new WriteGate();
  const onClosed = (detail: string) => log({ level: 'error', event: 'index-not-writable', detail });
  const index = guardIndex(options.index, gate, () => authority, onClosed);
  const policy = { ...DEFAULT_POLICY, ...options.policy };
  const viewers = new Viewers();
  const ctx: ArchiveContext = {
    index,
    gate,
    get authority() {
      return authority;
    },
    volumes: new VolumeSet(options.volumes, {
      onDeletes: async (volume) => {
        await authority.mustCover(volume);
        await takeTrayTombstones(ctx, volume);
      },
      onReturn: (volume, away) => onVolume(ctx, volume, away),
      log: (event) => ctx.log(event),
      clock: options.clock,
    }),
    replicas: options.replicas,
    fleet: new Fleet(index, options.replicas),
    pool: options.pool,
    get keyring() {
      return keys.ring;
    },
    keys,
    policy,
    clock: options.clock,
    random: options.random,
    packIds: new PackIds(options.clock, options.random),
    catalog: new PackCatalog(index, keys),
    damage: new Damage(index),
    locks: new PackLocks(),
    viewers,
    line: new Line(options.clock, viewers, policy),
    unreadTrays: new UnreadTrays(index),
    unreadReplicas: new UnreadReplicas(),
    reports: new SignedReports(options.reports, {
      ...{ keys, clock: options.clock, random: options.random },
      onFailure: (detail) => log({ level: 'error', event: 'report-not-kept', detail }),
    }),
    log,
  };
  const authority = new Authority(ctx, options.index, {
    ownerEpoch: options.ownerEpoch ?? null,
    takesOver: options.rebuild === true,
    claimIntervalMs: ctx.policy.claimIntervalMs,
  });
  return ctx;
}

/** Opens the volumes, makes everything acknowledged visible, starts the movers. FOREIGN and LOCKED volumes make it reject. */
export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  const reconciling = new Set<Promise<void>>();
  let committer: Committer | null = null;
  let rebuilding = options.rebuild === true;
  const stop = new AbortController();
  const takeIn = async (context: ArchiveContext, volume: Volume, back: Away | null) => {
    await recoverTrays(context, volume);
    committer?.goOnAbove(await context.index.highestSeq());
    const failback = await Failback.begin(context, volume, back);
    inBackground(failback?.run(stop.signal) ?? reconcilePacks(context, volume));
  };
  const inBackground = (done: Promise<unknown>) => {
    const work: Promise<void> = done
      .then(() => undefined)
      .catch((error: unknown) => logFailure(ctx, 'reconcile-failed', error))
      .finally(() => reconciling.delete(work));
    reconciling.add(work);
  };
  // While the index is rebuilt, what volumes hold is for the rebuild to take in, in its order.
  const ctx = createContext(options, async (context, volume, away) => {
    if (!rebuilding) await takeIn(context, volume, away);
  });
  try {
    await ctx.authority.begin(await unreadDeletes(ctx));
    await ctx.fleet.load();
    await ctx.damage.load();
    await loadOverrides(ctx);
    await ctx.unreadTrays.load(ctx.volumes.names);
    await loadUnread(ctx);
    await ctx.volumes.open();
  } catch (error) {
    // The rest is still the caller's; these were opened here.
    await ctx.volumes.close();
    throw error;
  }
  const start = async () => {
    committer = new Committer(ctx, await ctx.index.highestSeq());
    const emptyPacks = new EmptyPacks(ctx, committer);
    const movers = new Movers(ctx, committer, emptyPacks);
    movers.start();
    const unread = ctx.unreadTrays.told();
    if (unread !== null) ctx.log({ level: 'warn', event: 'trays-unread', detail: unread });
    inBackground(noteRetiredVolumes(ctx));
    return assemble(ctx, { committer, emptyPacks, movers, background: { reconciling, stop }, inBackground, options });
  };
  if (!rebuilding) return start();
  return openRebuilding(ctx, {
    open: async () => {
      rebuilding = false;
      for (const volume of ctx.volumes.readables()) await takeIn(ctx, volume, null);
      return start();
    },
    status: () => status(ctx, 'refused'),
    closeParts: () => closeParts(ctx, options.closeKeys),
  });
}

/** What volumes that came back are still being looked at by, and how that is stopped. */
interface Background {
  readonly reconciling: ReadonlySet<Promise<void>>;
  readonly stop: AbortController;
}

interface Parts {
  readonly committer: Committer;
  readonly emptyPacks: EmptyPacks;
  readonly movers: Movers;
  readonly background: Background;
  readonly inBackground: (done: Promise<void>) => void;
  readonly options: ArchiveOptions;
}

function assemble(ctx: ArchiveContext, parts: Parts): Archive {
  const { committer, emptyPacks, movers, background, inBackground, options } = parts;
  const identities = new Identities(ctx.index);
  const receiver = { ctx, committer, budget: new IngestBudget(), identities };
  const hooks = { onCold: (instance: InstanceRecord) => movers.wantRecall(instance.pack) };
  const gate = new PackLocks();
  const holder = { ctx, committer, gate };
  let closing: Promise<void> | null = null;
  const whileOpen = <T>(work: () => Promise<T>): Promise<T> =>
    ctx.gate.fault === null ? work() : Promise.reject(new ArchiveError('UNAVAILABLE', ctx.gate.fault));
  const unread = () => ctx.unreadTrays.told() ?? ctx.unreadReplicas.told();
  const reads = readsOf(ctx.index, unread);
  const archive: Archive = {
    ...reads,
    receive: (body, options = {}) => whileOpen(() => receive(receiver, body, options)),
    remove: (scope, options = {}) =>
      whileOpen(() => orDoubtful(unread, () => remove({ ctx, committer, identities, gate }, scope, options.signal))),
    metadata: (scope) => {
      // An answer never waits for these: both are about what may be asked for next.
      opened(ctx, movers, scope.study).catch(() => undefined);
      return reads.metadata(scope);
    },
    read: (instance, range, signal) => readInstance(ctx, instance, range, signal, hooks),
    status: () => status(ctx, ctx.gate.fault === null ? committer.destination() : 'refused'),
    refusals: (studies) => refusalsOf(ctx, studies),
    holds: () => ctx.index.holds(),
    setHold: (study, reason) => whileOpen(() => setHold(holder, study, reason)),
    clearHold: (study) => whileOpen(() => clearHold(holder, study)),
    migrate: (selection, options = {}) => whileOpen(() => migrate(ctx, committer, emptyPacks, selection, options)),
    erase: (options = {}) => whileOpen(() => erase({ ctx, committer, emptyPacks }, options)),
    recall: (selection, options = {}) => whileOpen(() => recall(ctx, selection, options)),
    scrub: (options = {}) => scrub(ctx, options),
    repair: (options = {}) => whileOpen(() => repair(ctx, options)),
    addReplica: (name, options = {}) => whileOpen(() => addReplica(ctx, name, options)),
    drainReplica: (name, options = {}) => whileOpen(() => drainReplica(ctx, name, options)),
    countKeys: (options = {}) => countKeys(ctx, options),
    rotateKeys: (options = {}) => whileOpen(() => rotateKeys(ctx, options)),
    removeKey: (key, options = {}) => whileOpen(() => removeKey(ctx, key, options)),
    failVolume: (name) => failVolume(ctx, name),
    returnVolume: (name) => returnVolume(ctx, name),
    adoptVolume: (name, options = {}) => adoptVolume(ctx, name, options),
    ledgers: async (name) => {
      if (name !== undefined) mustBeConfigured(ctx, name);
      return ledgersOf(ctx, name);
    },
    exposure: (name) => exposureOf(ctx, name),
    planDrill: (request) => drills.plan(request),
    drill: (request, jobOptions = {}) => drills.run(request, jobOptions),
    close: () => {
      closing ??= schedule
        .close()
        .then(() => close(ctx, committer, movers, background))
        .finally(() => options.closeKeys?.());
      return closing;
    },
  };
  const drills = new Drills(ctx, archive, {
    // Shadow studies are nobody's: whatever is to be kept, they are not.
    remove: (scope) => {
      const free = { ...ctx, policy: { ...ctx.policy, retention: [] } };
      return remove({ ctx: free, committer, identities, gate }, scope, undefined);
    },
    scratch: options.scratchIndex,
  });
  const schedule = new Schedule(ctx, drills, () => committer.busy());
  inBackground(drills.endInterrupted().then(() => schedule.start()));
  return archive;
}

/** A viewer that asks for metadata is about to ask for pixels: noted for eviction, and cold packs are asked back by policy. */
async function opened(ctx: ArchiveContext, movers: Movers, study: StudyUid): Promise<void> {
  await ctx.index.touch(study, ctx.clock.nowMs());
  if (ctx.policy.recall !== 'on-open') return;
  for await (const { id } of ctx.index.packs({ study, hot: ['cold'] })) movers.wantRecall(id);
}

async function status(ctx: ArchiveContext, ingest: ArchiveStatus['ingest']): Promise<ArchiveStatus> {
  return {
    index: await ctx.index.status(ctx.replicas.rule.data),
    volumes: ctx.volumes.state().map(({ name, state, detail, trend, latencies, usage }) => ({
      name,
      state,
      detail,
      trend,
      latencyMs: latencies,
      bytesTotal: usage?.bytesTotal ?? null,
      bytesFree: usage?.bytesFree ?? null,
    })),
    replicas: ctx.replicas.state().map((one) => ({ ...one, standing: shownStanding(ctx.fleet.of(one.name)) })),
    ingest,
    stopped: ctx.gate.fault === null ? null : { reason: ctx.gate.fault, restart: ctx.gate.forGood },
    keys: { fault: ctx.keyring.provider.fault },
    deletesUnread: await unreadDeletes(ctx),
    traysUnread: ctx.unreadTrays.names,
    drills: await lastDrills(ctx.index),
    rebuild: null,
  };
}

function shownStanding({ state }: Standing): ArchiveStatus['replicas'][number]['standing'] {
  return state === 'new' || state === 'erased' ? 'member' : state;
}

/** In the order in which they depend on each other: what is acknowledged is committed before anything below closes. */
async function close(
  ctx: ArchiveContext,
  committer: Committer,
  movers: Movers,
  { reconciling, stop }: Background,
): Promise<void> {
  stop.abort(new DOMException('the archive is closing', 'AbortError'));
  await movers.close();
  await Promise.all(reconciling);
  await committer.close();
  // What this leaves to be read at the next start is read then: no reason not to close.
  await ctx.unreadTrays.endAll().catch(() => undefined);
  await closeParts(ctx);
}

async function closeParts(ctx: ArchiveContext, closeKeys?: () => void): Promise<void> {
  await ctx.index.commitDurable().catch(() => undefined);
  await ctx.volumes.close();
  await ctx.replicas.close();
  await ctx.pool.close();
  await ctx.index.close();
  closeKeys?.();
}
