// An Archive whose answers a test writes, for the admin API alone: what it does to storage is not its business. Everything that
// was not scripted refuses with INTERNAL.
import type { Archive, ArchiveStatus } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { parseReplicaName, parseVolumeName } from '../../tiering/core/ids.js';

export const HEALTHY: ArchiveStatus = {
  index: {
    studies: { total: 3, hot: 2, protected: 1, cold: 1 },
    bytes: { hot: 2048, cold: 1024 },
    lostHot: { packs: 0, bytes: 0 },
    deletes: { pending: 0, owed: 0 },
    erasurePending: { instances: 0, bytes: 0 },
    instances: 7,
    unprotected: { instances: 2, bytes: 512, oldestArrivedMs: Date.now() - 5000 },
    debt: new Map([[parseReplicaName('r2'), { packs: 1, bytes: 512, oldestMs: Date.now() - 5000 }]]),
  },
  volumes: [
    {
      name: parseVolumeName('a'),
      state: 'healthy',
      bytesTotal: 1e9,
      bytesFree: 5e8,
      detail: null,
      trend: null,
      latencyMs: { read: null, write: null, sync: null, probe: null },
    },
  ],
  replicas: [
    {
      name: parseReplicaName('r1'),
      state: 'available',
      standing: 'member',
      detail: null,
      latencyMs: 3,
      unavailableSinceMs: null,
    },
    {
      name: parseReplicaName('r2'),
      state: 'unavailable',
      standing: 'member',
      detail: 'did not answer',
      latencyMs: null,
      unavailableSinceMs: Date.now() - 60_000,
    },
  ],
  ingest: 'volume',
  stopped: null,
  drills: [],
  keys: { fault: null },
  deletesUnread: [],
  traysUnread: [],
  rebuild: null,
};

/** An archive that answers with `script`, and refuses the rest. */
export function scriptedArchive(script: Partial<Archive>): Archive {
  const unscripted = () => {
    throw new ArchiveError('INTERNAL', 'this call was not scripted by the test');
  };
  return {
    receive: unscripted,
    remove: unscripted,
    query: unscripted,
    instances: unscripted,
    instance: unscripted,
    metadata: unscripted,
    read: unscripted,
    status: () => Promise.resolve(HEALTHY),
    migrate: unscripted,
    refusals: () => Promise.resolve([]),
    holds: unscripted,
    setHold: unscripted,
    failVolume: unscripted,
    returnVolume: unscripted,
    adoptVolume: unscripted,
    ledgers: unscripted,
    exposure: unscripted,
    planDrill: unscripted,
    drill: unscripted,
    clearHold: unscripted,
    erase: unscripted,
    recall: unscripted,
    scrub: unscripted,
    repair: unscripted,
    addReplica: unscripted,
    drainReplica: unscripted,
    countKeys: unscripted,
    rotateKeys: unscripted,
    removeKey: unscripted,
    close: () => Promise.resolve(),
    ...script,
  };
}
