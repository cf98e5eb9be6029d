// Mistakes that an archive could make, put between it and its parts: what the simulation is held to, which must find each of them.
import type { TrayAppender, Volume } from '../../../tiering/hot/volume.js';
import type { Index, PackRecord } from '../../../tiering/index/index.js';
import { but } from '../../support/but.js';
import type { Decorators } from './world.js';

const unsynced = (tray: TrayAppender): TrayAppender => but(tray, { sync: () => Promise.resolve() });
const now = Number.MAX_SAFE_INTEGER;

export const MUTATIONS: Readonly<Record<string, Decorators>> = {
  'an arrival is acknowledged before it is synced': {
    volume: (volume: Volume) => but(volume, { createTray: async (id) => unsynced(await volume.createTray(id)) }),
  },
  'a hot copy is deleted without a proof': {
    index: (index: Index) =>
      but(index, {
        pack: async (id) => believed(await index.pack(id)),
        packs: (filter) => index.packs({ ...filter, placementsMin: 0 }),
      }),
  },
  'a file is unlinked before the index has committed': {
    index: (index: Index) => but(index, { commitDurable: () => Promise.resolve() }),
  },
};

function believed(record: PackRecord | undefined): PackRecord | undefined {
  if (record === undefined || record.kind !== 'pack' || record.hot !== 'present') return record;
  return { ...record, placements: ['r1', 'r2'].map((replica) => ({ replica: replica as never, verifiedMs: now })) };
}
