// A real volume whose calls fail, hang or take their time when a test says so: what a disk does that is dying, between the archive and the file system.
import { setTimeout as sleep } from 'node:timers/promises';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { PackRef, TrayAppender, Volume } from '../../tiering/hot/volume.js';

export type AilingCall = 'read' | 'append' | 'sync' | 'probe' | 'create';
/** `hang`: for as long as the real bulkhead would let it, here shorter. A number: so many milliseconds longer. */
export type Ailment = 'EIO' | 'hang' | number | undefined;

/** What ails it, and how often that was felt. */
export interface Ailing {
  ailment: (call: AilingCall, ref?: PackRef) => Ailment;
  /** Calls that were made to fail, hang or wait. */
  ailed: number;
}

const HANG_MS = 1_500;

export function ailing(volume: Volume, control: Ailing): Volume {
  const through = async <T>(call: AilingCall, work: () => Promise<T>, ref?: PackRef): Promise<T> => {
    const ailment = control.ailment(call, ref);
    if (ailment === undefined) return work();
    control.ailed += 1;
    if (typeof ailment === 'number') {
      await sleep(ailment);
      return work();
    }
    if (ailment === 'hang') await sleep(HANG_MS);
    throw new ArchiveError('UNAVAILABLE', `volume ${volume.name}: ${call} was made to fail (${ailment})`);
  };
  const tray = (inner: TrayAppender): TrayAppender => ({
    id: inner.id,
    get bytes() {
      return inner.bytes;
    },
    append: (pieces) => through('append', () => inner.append(pieces)),
    sync: () => through('sync', () => inner.sync()),
    close: () => inner.close(),
  });
  return {
    name: volume.name,
    createTray: (id) => through('create', async () => tray(await volume.createTray(id))),
    createPack: (id, bytesMax) => through('create', () => volume.createPack(id, bytesMax)),
    read: (ref, start, end, signal) => through('read', () => volume.read(ref, start, end, signal), ref),
    size: (ref) => volume.size(ref),
    sync: (ref) => volume.sync(ref),
    path: (ref) => volume.path(ref),
    remove: (ref) => volume.remove(ref),
    list: (kind) => volume.list(kind),
    usage: () => volume.usage(),
    generation: () => volume.generation(),
    setGeneration: (generation) => volume.setGeneration(generation),
    probe: () => through('probe', () => volume.probe()),
    close: () => volume.close(),
  };
}
