// Opens everything the archive stands on, in the order that keeps a mistake from costing data: keyring, index, whose archive
// this is, replicas, volumes. A volume or replica is made only the first time it is seen; after that, one that looks
// empty is a missing one (an unmounted disk, an emptied bucket), never a new one.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Policy } from '../tiering/archive/context.js';
import type { ScratchIndex } from '../tiering/archive/drills/index-drill.js';
import { setStanding, standingOf } from '../tiering/archive/fleet/fleet.js';
import { isUnfinished, markBegun } from '../tiering/archive/recovery/rebuild-state.js';
import type { ReportStore } from '../tiering/archive/signed-reports.js';
import type { VolumeSource } from '../tiering/archive/volumes/volume-set.js';
import { recordSuites } from '../tiering/cold/replicas/identity.js';
import { type Replica, ReplicaSet } from '../tiering/cold/replicas/replica-set.js';
import { ArchiveError, hasCode } from '../tiering/core/errors.js';
import type { Keyring } from '../tiering/format/keyring.js';
import { MANIFEST_PREFIX } from '../tiering/format/names.js';
import { openLocalVolume } from '../tiering/hot/local-volume.js';
import { lookAtVacancy } from '../tiering/hot/vacancy.js';
import type { Index } from '../tiering/index/index.js';
import { createWorkerPool, type WorkerPool } from '../workers/pool.js';
import type { Config, ReplicaConfig } from './config.js';
import { type OpenedKeys, openKeys } from './keys.js';
import { isBehind, openIndex, openScratch, startOver } from './open-index.js';
import { openStore, type StoreEnvironment } from './replica-stores.js';
import { reportFolder } from './reports/folder.js';

export interface Storage {
  readonly index: Index;
  /** Of this process as the owner of the archive. */
  readonly ownerEpoch: number;
  readonly volumes: readonly VolumeSource[];
  readonly replicas: ReplicaSet;
  readonly pool: WorkerPool;
  readonly keyring: Keyring;
  readonly saveKeyring: (keyring: Keyring) => Promise<void>;
  readonly closeKeys: () => void;
  /** What is wrong with the token that holds the keys, or null. */
  readonly keysWarning: string | null;
  readonly policy: Partial<Policy>;
  /** Where signed reports go; left out: nowhere. */
  readonly reports?: ReportStore;
  readonly scratchIndex: () => Promise<ScratchIndex>;
  /** The index is to be made again, or such a rebuild was begun and has not ended. */
  readonly rebuild: boolean;
}

export interface StorageOptions extends StoreEnvironment {
  /** An empty index for an archive that has data is refused, unless it is about to be rebuilt. */
  readonly rebuilding?: boolean;
}

/** The names under which the index remembers who it belongs to and what exists already. */
const SETTING = {
  archive: 'archive.id',
  epoch: 'owner.epoch',
  volume: (name: string) => `volume.${name}.known`,
};

/** What is given is the archive's to close. On a rejection everything opened so far is closed again. */
export async function openStorage(config: Config, options: StorageOptions): Promise<Storage> {
  // A new archive gets a new key; an existing one never does, since a new key would open nothing of it.
  const create = !existsSync(config.index.path) && !hasVolumeData(config);
  const keys = await openKeys(config, { ...options, create });
  try {
    return await openBeside(keys, config, options);
  } catch (error) {
    keys.close();
    throw error;
  }
}

async function openBeside(keys: OpenedKeys, config: Config, options: StorageOptions): Promise<Storage> {
  const { keyring } = keys;
  const rebuilding = options.rebuilding === true;
  let index = await openIndex(config, rebuilding, options.clock);
  let replicas: ReplicaSet | undefined;
  try {
    let unclaimed = await checkOwner(index, config, keyring, options);
    replicas = await openReplicas(index, config, keyring, options);
    if (rebuilding && (await isBehind(index, replicas))) {
      await index.close();
      index = await startOver(config.index.path, options.clock);
      unclaimed = true;
    }
    if (unclaimed && !rebuilding) await mustHoldNothing(replicas, config);
    if (unclaimed && rebuilding) await markBegun(index);
    const rebuild = rebuilding || (await isUnfinished(index));
    const ownerEpoch = await claimIndex(index, keyring, options);
    const owned = index;
    return {
      index: owned,
      ownerEpoch,
      keyring,
      saveKeyring: (changed) => keys.save(changed),
      closeKeys: () => keys.close(),
      keysWarning: keys.warning,
      replicas,
      volumes: config.hot.volumes.map((volume) => volumeSource(owned, volume, keyring.archiveId, ownerEpoch, options)),
      pool: createWorkerPool(config.workers.threads === 'auto' ? {} : { threads: config.workers.threads }),
      policy: policyOf(config),
      ...(config.reports === null ? {} : { reports: reportFolder(config.reports) }),
      rebuild,
      scratchIndex: () => openScratch(config.index.path),
    };
  } catch (error) {
    await replicas?.close();
    await index.close();
    throw error;
  }
}

/** For what was opened and not given to an archive. */
export async function closeStorage({ replicas, pool, index, closeKeys }: Storage): Promise<void> {
  await replicas.close();
  await pool.close();
  await index.close();
  closeKeys();
}

function hasVolumeData(config: Config): boolean {
  return config.hot.volumes.some(({ path }) => existsSync(join(path, 'volume.json')));
}

function lost(config: Config, where: string): ArchiveError {
  return new ArchiveError(
    'FOREIGN',
    `index ${config.index.path} is new, but ${where} an archive: run "filmroom serve --rebuild" or "filmroom rebuild-index", or name the right index`,
  );
}

/** Whether the index is nobody's yet. FOREIGN when it is another archive's, or new beside volumes that are not. */
async function checkOwner(index: Index, config: Config, keyring: Keyring, options: StorageOptions): Promise<boolean> {
  const owner = await index.setting(SETTING.archive);
  if (owner !== undefined && owner !== keyring.archiveId) {
    throw new ArchiveError(
      'FOREIGN',
      `index ${config.index.path} belongs to archive ${owner}, the keyring to ${keyring.archiveId}`,
    );
  }
  if (owner === undefined && hasVolumeData(config) && options.rebuilding !== true)
    throw lost(config, 'the volumes hold');
  return owner === undefined;
}

/** A new index beside replicas with manifests is a lost one: arrivals would be numbered from 1 again. */
async function mustHoldNothing(replicas: ReplicaSet, config: Config): Promise<void> {
  for (const { name, state } of replicas.state()) {
    if (state !== 'available') continue;
    for await (const _ of replicas.store(name).list(MANIFEST_PREFIX)) throw lost(config, `replica ${name} holds`);
  }
}

/** From here on the index is this archive's and this process its owner, durably. Returns the owner epoch. */
async function claimIndex(index: Index, keyring: Keyring, options: StorageOptions): Promise<number> {
  await index.setSetting(SETTING.archive, keyring.archiveId);
  // Seconds since 1970 stand in for the count of an index that was lost, so that a rebuilt one is not taken for an older owner.
  const before = Number((await index.setting(SETTING.epoch)) ?? 0);
  const epoch = Math.max(before + 1, Math.floor(options.clock.nowMs() / 1000));
  await index.setSetting(SETTING.epoch, String(epoch));
  await index.commitDurable();
  return epoch;
}

async function openReplicas(
  index: Index,
  config: Config,
  keyring: Keyring,
  options: StorageOptions,
): Promise<ReplicaSet> {
  const fresh: ReplicaConfig[] = [];
  const wanted: ReplicaConfig[] = [];
  for (const replica of config.cold.replicas) {
    const { state } = await standingOf(index, replica.name);
    if (state === 'new') fresh.push(replica);
    // It has left for good: its line may go.
    if (state !== 'erased') wanted.push(replica);
  }
  const setOf = (configs: readonly ReplicaConfig[], writeQuorum: number, create: boolean) => {
    const replicas: Replica[] = configs.map(({ name, domain, ...place }) => ({
      name,
      domain,
      store: openStore(place, create, options),
    }));
    const domains = writeQuorum === 1 ? 1 : config.cold.domains;
    return new ReplicaSet(replicas, { ...options, writeQuorum, domains, archiveId: keyring.archiveId });
  };
  if (fresh.length > 0) {
    const made = setOf(fresh, 1, true);
    try {
      await made.open({ create: true });
      for (const { name, state } of made.state()) {
        if (state === 'available') await setStanding(index, name, { state: 'member' });
      }
    } finally {
      await made.close();
    }
  }
  const replicas = setOf(wanted, config.cold.writeQuorum, false);
  await replicas.open({ create: false });
  for (const { name, state } of replicas.state()) {
    // One that is away now is told at the next start.
    if (state === 'available') await recordSuites(replicas.store(name), name, keyring.suites.open).catch(ifAway);
  }
  return replicas;
}

function ifAway(error: unknown): void {
  if (!hasCode(error, 'UNAVAILABLE', 'CORRUPT', 'ABSENT', 'FULL')) throw error;
}

function volumeSource(
  index: Index,
  volume: Config['hot']['volumes'][number],
  archiveId: string,
  ownerEpoch: number,
  { clock, random }: StorageOptions,
): VolumeSource {
  const known = SETTING.volume(volume.name);
  const open = async (create: boolean) => {
    const opened = await openLocalVolume({ ...volume, archiveId, ownerEpoch, create, clock, random });
    if (create) await index.setSetting(known, 'yes');
    return opened;
  };
  return {
    name: volume.name,
    open: async () => open((await index.setting(known)) === undefined),
    replacement: { look: () => lookAtVacancy(volume.path), take: () => open(true) },
  };
}

function policyOf({ hot, cold, tiering, retention, drills }: Config): Partial<Policy> {
  return {
    settleMs: hot.settleMs,
    highWater: hot.highWater,
    lowWater: hot.lowWater,
    recall: tiering.recall,
    evictMinAgeMs: tiering.evictMinAgeMs,
    protectAfterMs: tiering.protectAfterMs,
    cloudDirectQuorum: cold.cloudDirectQuorum,
    uploadBytesPerSecond: tiering.uploadBytesPerSecond,
    downloadBytesPerSecond: tiering.downloadBytesPerSecond,
    scrubBytesPerSecond: tiering.scrub.bytesPerSecond,
    scrubEveryMs: tiering.scrub.everyMs,
    retention,
    drills,
  };
}
