// The offline rebuild of a lost index: the same storage as the server opens, without movers and without listening.
import type { JobOptions } from '../tiering/archive/archive.js';
import { createContext } from '../tiering/archive/open-archive.js';
import { type RebuildReport, rebuildIndex } from '../tiering/archive/recovery/rebuild.js';
import type { Config } from './config.js';
import type { StoreEnvironment } from './replica-stores.js';
import { closeStorage, openStorage } from './storage.js';

/** LOCKED when a server runs. Whatever was opened is closed when it resolves or rejects. */
export async function rebuildIndexOf(
  config: Config,
  environment: StoreEnvironment,
  options: JobOptions,
): Promise<RebuildReport> {
  const storage = await openStorage(config, { ...environment, rebuilding: true });
  // Trays and packs are taken in by the rebuild itself, so a volume that opens needs nothing more.
  const context = createContext({ ...storage, ...environment }, () => Promise.resolve());
  try {
    await context.volumes.open();
    return await rebuildIndex(context, { ...options, volumesAlone: true });
  } finally {
    await context.volumes.close();
    await closeStorage(storage);
  }
}
