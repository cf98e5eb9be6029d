// What was overwritten or deleted in a bucket that keeps versions is put back: names are never given to other bytes, so the oldest version
// that is what its name says is the one that was written first. No key and no index is needed.
import { createHash } from 'node:crypto';
import { ArchiveError, hasCode } from '../../core/errors.js';
import type { ObjectKey } from '../../core/ids.js';
import {
  CONFIG_NAME,
  parseChunkName,
  parseConfig,
  parseManifestName,
  parseStatementName,
  README_NAME,
  readmeText,
} from '../../format/names.js';
import type { ObjectHistory, ObjectStore, ObjectVersion } from '../object-store.js';

export interface RestoreReport {
  /** Names that have, or had, something of the archive. */
  readonly objects: number;
  /** Of these, those that were put back. */
  readonly restored: number;
  /** Names of which no version is what it ought to be. */
  readonly lost: readonly ObjectKey[];
}

interface Options {
  readonly archiveId: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((objects: number, restored: number) => void) | undefined;
}

/** Every name of the format below the store's root. NOT_SUPPORTED for a store without versions. */
export async function restoreStore(store: ObjectStore, options: Options): Promise<RestoreReport> {
  const history = historyOf(store);
  const lost: ObjectKey[] = [];
  let objects = 0;
  let restored = 0;
  for await (const versions of byKey(history.versions('', options.signal))) {
    options.signal?.throwIfAborted();
    const [{ key } = { key: README_NAME }] = versions;
    if (!isOurs(key)) continue;
    objects += 1;
    // One version that is no marker was never touched; whether its bytes are good is for a scrub to say.
    if (versions.length > 1 || versions.some(({ deleteMarker }) => deleteMarker)) {
      const outcome = await putBack(store, history, versions, options);
      if (outcome === 'restored') restored += 1;
      if (outcome === 'lost') lost.push(key);
    }
    options.onProgress?.(objects, restored);
  }
  return { objects, restored, lost };
}

/** One name. Resolves with whether it is there now as it ought to be; false too for a store without versions. */
export async function restoreObject(store: ObjectStore, key: ObjectKey, options: Options): Promise<boolean> {
  if (store.history === undefined) return false;
  for await (const versions of byKey(store.history.versions(key, options.signal))) {
    if (versions[0]?.key === key) return (await putBack(store, store.history, versions, options)) !== 'lost';
  }
  return false;
}

async function putBack(
  store: ObjectStore,
  history: ObjectHistory,
  versions: readonly ObjectVersion[],
  { archiveId, signal }: Options,
): Promise<'restored' | 'good' | 'lost'> {
  // A listing has the newest first, which decides between those of one moment.
  const oldestFirst = versions
    .filter((one) => !one.deleteMarker)
    .reverse()
    .sort((a, b) => a.modifiedMs - b.modifiedMs);
  const newest = versions.find((one) => one.newest && !one.deleteMarker);
  for (const version of oldestFirst) {
    const bytes = await history.get(version, signal).catch(ifGone);
    if (bytes === null || !isGenuine(version.key, bytes, archiveId)) continue;
    // `config` may be written anew by its owner.
    const now = newest === undefined ? null : await history.get(newest, signal).catch(ifGone);
    const good =
      now !== null &&
      (version.key === CONFIG_NAME ? isGenuine(CONFIG_NAME, now, archiveId) : Buffer.compare(now, bytes) === 0);
    if (good) return 'good';
    await store.put(version.key, bytes, { signal });
    return 'restored';
  }
  return 'lost';
}

function ifGone(error: unknown): null {
  if (hasCode(error, 'ABSENT', 'CORRUPT')) return null;
  throw error;
}

function isOurs(key: ObjectKey): boolean {
  if (key === CONFIG_NAME || key === README_NAME) return true;
  return [parseChunkName, parseManifestName, parseStatementName].some((parse) => parse(key) !== undefined);
}

/** Whether the bytes are what the name says. */
function isGenuine(key: ObjectKey, bytes: Uint8Array, archiveId: string): boolean {
  if (key === README_NAME) return Buffer.compare(bytes, Buffer.from(readmeText(archiveId))) === 0;
  if (key === CONFIG_NAME) {
    try {
      return parseConfig(bytes).archiveId === archiveId;
    } catch {
      return false;
    }
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return sha256.startsWith(
    parseChunkName(key) ?? parseStatementName(key)?.sha256 ?? parseManifestName(key)?.hash8 ?? '-',
  );
}

async function* byKey(versions: AsyncIterable<ObjectVersion>): AsyncGenerator<readonly ObjectVersion[]> {
  let group: ObjectVersion[] = [];
  for await (const version of versions) {
    if (group[0] !== undefined && group[0].key !== version.key) {
      yield group;
      group = [];
    }
    group.push(version);
  }
  if (group.length > 0) yield group;
}

function historyOf(store: ObjectStore): ObjectHistory {
  if (store.history !== undefined) return store.history;
  throw new ArchiveError('NOT_SUPPORTED', 'this store keeps no versions: nothing can be put back from them');
}
