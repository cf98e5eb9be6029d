// A volume whose reads, tray writes, syncs and probes are timed. Packs that are written are not: they are long, and nobody waits for one call of them.
import { codeOf } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import type { PackRef, TrayAppender, Volume } from '../../hot/volume.js';
import type { CallKind, Pulse } from './pulse.js';

/** The same volume, each call told to `pulse`. */
export function measured(volume: Volume, pulse: Pulse): Volume {
  const timed = async <T>(kind: CallKind, bytes: number, work: () => Promise<T>): Promise<T> => {
    const call = pulse.begin(kind, bytes);
    try {
      const result = await work();
      pulse.end(call, 'done');
      return result;
    } catch (error) {
      const code = codeOf(error);
      pulse.end(call, code === 'UNAVAILABLE' ? 'failed' : 'given up');
      throw error;
    }
  };
  return {
    name: volume.name,
    createTray: async (id: PackId) => measuredTray(await volume.createTray(id), timed),
    createPack: (id, bytesMax) => volume.createPack(id, bytesMax),
    read: (ref: PackRef, start, end, signal) => timed('read', end - start, () => volume.read(ref, start, end, signal)),
    size: (ref) => volume.size(ref),
    sync: (ref) => volume.sync(ref),
    path: (ref) => volume.path(ref),
    remove: (ref) => volume.remove(ref),
    list: (kind) => volume.list(kind),
    usage: () => volume.usage(),
    generation: () => volume.generation(),
    setGeneration: (generation) => volume.setGeneration(generation),
    probe: () => timed('probe', 0, () => volume.probe()),
    close: () => volume.close(),
  };
}

function measuredTray(
  tray: TrayAppender,
  timed: <T>(kind: CallKind, bytes: number, work: () => Promise<T>) => Promise<T>,
): TrayAppender {
  let unsynced = 0;
  return {
    id: tray.id,
    get bytes() {
      return tray.bytes;
    },
    append: (pieces) => {
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
      unsynced += bytes;
      return timed('write', bytes, () => tray.append(pieces));
    },
    sync: () => {
      const bytes = unsynced;
      unsynced = 0;
      return timed('sync', bytes, () => tray.sync());
    },
    close: () => tray.close(),
  };
}
