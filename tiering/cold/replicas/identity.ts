// Whose replica this is. A store that answers may still be the wrong one: an empty mount point, a
// bucket made anew, another archive's. Its `config` object says, and only then does it count.
import { ArchiveError, hasCode } from '../../core/errors.js';
import type { ReplicaName } from '../../core/ids.js';
import {
  CONFIG_NAME,
  encodeConfig,
  FORMAT_VERSION,
  parseConfig,
  README_NAME,
  type ReplicaConfig,
  readmeText,
} from '../../format/names.js';
import { AES_ALONE } from '../../format/suites.js';
import type { ObjectStore } from '../object-store.js';

/** The replica's config, or undefined when the store answered that it has none. UNAVAILABLE when it cannot be read or understood. */
export async function readIdentity(
  store: ObjectStore,
  name: ReplicaName,
  signal?: AbortSignal,
): Promise<ReplicaConfig | undefined> {
  try {
    return parseConfig(await store.get(CONFIG_NAME, undefined, signal));
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return undefined;
    if (hasCode(error, 'UNAVAILABLE', 'ABORTED')) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArchiveError('UNAVAILABLE', `replica ${name}: its config cannot be used: ${reason}`, { cause: error });
  }
}

/** Throws UNAVAILABLE unless `config` is that of archive `archiveId`. */
export function mustBelong(
  config: ReplicaConfig | undefined,
  archiveId: string,
  name: ReplicaName,
): asserts config is ReplicaConfig {
  if (config === undefined) {
    throw new ArchiveError(
      'UNAVAILABLE',
      `replica ${name} has no config object: it is new, or was emptied, or is not the one that is meant`,
    );
  }
  if (config.archiveId !== archiveId) {
    throw new ArchiveError('UNAVAILABLE', `replica ${name} belongs to another archive, ${config.archiveId}`);
  }
}

/** Makes an empty store a replica of `archiveId`. UNAVAILABLE when it is not empty: nothing is written into what may be another's. */
export async function createIdentity(store: ObjectStore, name: ReplicaName, archiveId: string): Promise<void> {
  for await (const { key } of store.list('')) {
    if (key === README_NAME) continue;
    throw new ArchiveError('UNAVAILABLE', `replica ${name} has no config object and is not empty: it is left alone`);
  }
  await store.put(README_NAME, Buffer.from(readmeText(archiveId)));
  const config = encodeConfig({
    formatVersion: FORMAT_VERSION,
    archiveId,
    ownerEpoch: 0,
    generation: 0,
    suites: AES_ALONE.open,
  });
  try {
    await store.put(CONFIG_NAME, config, { ifAbsent: true });
  } catch (error) {
    // Somebody else was first; whose it is now is read back by the caller.
    if (!hasCode(error, 'CONFLICT')) throw error;
  }
}

/** Records in the replica's config which cipher suites its archive opens, for those who read it without the configuration. */
export async function recordSuites(store: ObjectStore, name: ReplicaName, suites: readonly number[]): Promise<void> {
  const config = await readIdentity(store, name);
  if (config === undefined || config.suites.join() === suites.join()) return;
  await store.put(CONFIG_NAME, encodeConfig({ ...config, suites }));
}

/**
 * Records in the replica's config who owns the archive and how far its index has come; neither ever falls. Resolves with the config as it
 * stands then; one with a newer owner is left as it is. UNAVAILABLE when the replica cannot be asked or has none.
 */
export async function claimReplica(
  store: ObjectStore,
  name: ReplicaName,
  claim: Pick<ReplicaConfig, 'archiveId' | 'ownerEpoch' | 'generation'>,
  signal?: AbortSignal,
): Promise<ReplicaConfig> {
  const config = await readIdentity(store, name, signal);
  mustBelong(config, claim.archiveId, name);
  const generation = Math.max(config.generation, claim.generation);
  const known = config.ownerEpoch === claim.ownerEpoch && config.generation === generation;
  if (config.ownerEpoch > claim.ownerEpoch || known) return config;
  const claimed = { ...config, ownerEpoch: claim.ownerEpoch, generation };
  await store.put(CONFIG_NAME, encodeConfig(claimed), { signal });
  return claimed;
}
