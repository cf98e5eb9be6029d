// The local volume on disks that really fail: full, read-only, taken away, immutable, hung. Each
// fault is made by the kernel, none by a double.
import * as fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeVolume, expectCode, listed } from '../../test/contract/volume.js';
import * as mounts from '../../test/support/mounts.js';
import { packIdNumbered, patternBytes } from '../../test/support/volume-bytes.js';
import { systemClock, systemRandom } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import { parseVolumeName } from '../core/ids.js';
import { type LocalVolumeOptions, openLocalVolume } from './local-volume.js';
import type { PackRef, Volume } from './volume.js';

const MiB = 1024 * 1024;
const name = parseVolumeName('a');
const common = { name, archiveId: 'archive-1', ownerEpoch: 1, clock: systemClock, random: systemRandom };

let base: string;
let path: string;
const opening: Volume[] = [];

async function opened(options: Partial<LocalVolumeOptions> = {}): Promise<Volume> {
  const volume = await openLocalVolume({ ...common, path, create: true, ...options });
  opening.push(volume);
  return volume;
}

async function putPack(volume: Volume, n: number, bytes: Uint8Array): Promise<PackRef> {
  const writer = await volume.createPack(packIdNumbered(n));
  await writer.append([bytes]);
  await writer.commit();
  return { id: writer.id, kind: 'pack' };
}

/** Everything that asks the disk rejects with UNAVAILABLE. */
async function expectMissing(volume: Volume, known: PackRef): Promise<void> {
  await expectCode(volume.createTray(packIdNumbered(901)), 'UNAVAILABLE');
  await expectCode(volume.createPack(packIdNumbered(902)), 'UNAVAILABLE');
  await expectCode(volume.size(known), 'UNAVAILABLE');
  await expectCode(volume.read({ ...known, id: packIdNumbered(903) }, 0, 1), 'UNAVAILABLE');
  await expectCode(volume.remove(known), 'UNAVAILABLE');
  await expectCode(listed(volume, 'tray'), 'UNAVAILABLE');
  await expectCode(listed(volume, 'pack'), 'UNAVAILABLE');
  await expectCode(volume.usage(), 'UNAVAILABLE');
  await expectCode(volume.probe(), 'UNAVAILABLE');
}

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'filmroom-faults-'));
  path = join(base, 'hot');
  fs.mkdirSync(path);
});
afterEach(async () => {
  await Promise.all(opening.splice(0).map((volume) => volume.close()));
  await rm(base, { recursive: true, force: true });
});

describe('a volume whose directory is deleted underneath', () => {
  it('is missing, and nothing is made in its place', async () => {
    const volume = await opened();
    const ref = await putPack(volume, 1, patternBytes(100));
    fs.rmSync(path, { recursive: true });
    await expectMissing(volume, ref);
    expect(fs.existsSync(path)).toBe(false);
    fs.mkdirSync(path);
    await expectMissing(volume, ref);
    expect(fs.readdirSync(path)).toEqual([]);
  });

  it('does not acknowledge what it appends to a file that has no name any more', async () => {
    const volume = await opened();
    const tray = await volume.createTray(packIdNumbered(1));
    await tray.append([patternBytes(100)]);
    await tray.sync();
    const pack = await volume.createPack(packIdNumbered(2));
    await pack.append([patternBytes(100)]);
    fs.rmSync(path, { recursive: true });
    await tray.append([patternBytes(100)]);
    await expectCode(tray.sync(), 'UNAVAILABLE');
    await expectCode(tray.append([patternBytes(1)]), 'UNAVAILABLE');
    await expectCode(pack.commit(), 'UNAVAILABLE');
    await pack.abort();
    expect(fs.existsSync(path)).toBe(false);
  });
});

describe('a volume with a hung call', () => {
  it('answers that call at its deadline, fails at once when every slot hangs, and comes back', async () => {
    const volume = await opened({ callsMax: 2, callTimeoutMs: 200 });
    const good = await putPack(volume, 1, patternBytes(100));
    // Opening a pipe that nobody writes to blocks in the kernel: a real hung call.
    const stuck = [2, 3].map((n) => ({ id: packIdNumbered(n), kind: 'tray' }) as const);
    const pipes = stuck.map(({ id }) => join(path, 'trays', `${id}.tar`));
    for (const pipe of pipes) mounts.makePipe(pipe);
    try {
      await expectCode(volume.read({ id: packIdNumbered(2), kind: 'tray' }, 0, 1), 'UNAVAILABLE');
      expect((await volume.read(good, 0, 100)).length).toBe(100);
      await expectCode(volume.read({ id: packIdNumbered(3), kind: 'tray' }, 0, 1), 'UNAVAILABLE');
      const before = performance.now();
      await expect(volume.read(good, 0, 100)).rejects.toThrow(/suspect: 2 of 2 calls hang/);
      await expect(volume.createTray(packIdNumbered(9))).rejects.toThrow(/suspect/);
      expect(performance.now() - before).toBeLessThan(100);
    } finally {
      for (const pipe of pipes) fs.closeSync(fs.openSync(pipe, fs.constants.O_RDWR | fs.constants.O_NONBLOCK));
    }
    await expect.poll(() => volume.read(good, 0, 100).then((bytes) => bytes.length)).toBe(100);
  });

  it('a signal ends the waiting before the deadline does', async () => {
    const volume = await opened({ callsMax: 2 });
    const pipe = join(path, 'trays', `${packIdNumbered(2)}.tar`);
    mounts.makePipe(pipe);
    const controller = new AbortController();
    const reading = volume.read({ id: packIdNumbered(2), kind: 'tray' }, 0, 1, controller.signal);
    controller.abort();
    await expectCode(reading, 'ABORTED');
    // Kept open until the volume is closed: the thread may come to its open only now.
    const held = fs.openSync(pipe, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    await volume.close();
    fs.closeSync(held);
  });
});

describe.skipIf(!mounts.canMount)('a volume on file systems that fail (needs root)', () => {
  const mounted: string[] = [];
  afterEach(() => {
    for (const point of mounted.splice(0).toReversed()) mounts.unmount(point);
  });
  const tmpfs = (size: string, at = path) => {
    mounts.mountTmpfs(at, size);
    mounted.push(at);
  };

  describeVolume('local directory on a tmpfs', async () => {
    tmpfs('32m');
    let last = await openLocalVolume({ ...common, path, create: true });
    return {
      volume: last,
      reopen: async () => {
        await last.close();
        last = await openLocalVolume({ ...common, path });
        return last;
      },
      dispose: () => last.close(),
    };
  });

  it('says FULL when there is no space, keeps what was synced, and works again once there is some', async () => {
    tmpfs('4m');
    const volume = await opened();
    const old = await putPack(volume, 1, patternBytes(MiB));
    const tray = await volume.createTray(packIdNumbered(2));
    await tray.append([patternBytes(MiB, 2)]);
    await tray.sync();
    await expectCode(tray.append([patternBytes(3 * MiB, 3)]), 'FULL');
    await expectCode(tray.append([patternBytes(1)]), 'UNAVAILABLE');
    await expectCode(tray.sync(), 'UNAVAILABLE');
    expect(tray.bytes).toBe(MiB);
    await tray.close();
    const kept = await volume.read({ id: packIdNumbered(2), kind: 'tray' }, 0, MiB);
    expect(Buffer.from(kept).equals(patternBytes(MiB, 2))).toBe(true);
    await expectCode(volume.createPack(packIdNumbered(3), 2 * MiB), 'FULL');
    await expectCode(volume.probe(), 'FULL');
    const pack = await volume.createPack(packIdNumbered(3));
    await expectCode(pack.append([patternBytes(MiB)]), 'FULL');
    await expectCode(pack.commit(), 'UNAVAILABLE');
    await pack.abort();
    // What was appended to the tray beyond its sync still takes up room: the tray goes, as recovery would have it.
    await volume.remove({ id: packIdNumbered(2), kind: 'tray' });
    await putPack(volume, 4, patternBytes(MiB, 4));
    await volume.probe();
    await volume.remove(old);
    expect(await listed(volume, 'pack')).toEqual([`${packIdNumbered(4)} ${MiB}`]);
  });

  it('a failed sync poisons the tray, although the kernel would call the next one good', async () => {
    const backing = join(base, 'backing');
    fs.mkdirSync(backing);
    tmpfs('12m', backing);
    // An over-committed disk: the file system has room that its device does not, so that writes pass and the sync fails.
    mounts.mountImage(join(backing, 'image'), '64m', path);
    mounted.push(path);
    const volume = await opened();
    const tray = await volume.createTray(packIdNumbered(1));
    await tray.append([patternBytes(MiB)]);
    await tray.sync();
    await tray.append([patternBytes(20 * MiB)]);
    const failure = await tray.sync().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ArchiveError);
    expect(['FULL', 'UNAVAILABLE']).toContain((failure as ArchiveError).code);
    await expectCode(tray.sync(), 'UNAVAILABLE');
    await expectCode(tray.append([patternBytes(1)]), 'UNAVAILABLE');
  });

  it('a read-only volume serves reads and refuses the rest as UNAVAILABLE', async () => {
    tmpfs('4m');
    const volume = await opened();
    const ref = await putPack(volume, 1, patternBytes(100));
    const pack = await volume.createPack(packIdNumbered(3));
    mounts.coverReadOnly(path);
    expect((await volume.read(ref, 0, 100)).length).toBe(100);
    expect(await listed(volume, 'pack')).toHaveLength(1);
    await expectCode(volume.createTray(packIdNumbered(2)), 'UNAVAILABLE');
    await expectCode(volume.createPack(packIdNumbered(2)), 'UNAVAILABLE');
    await expectCode(volume.remove(ref), 'UNAVAILABLE');
    await expectCode(volume.probe(), 'UNAVAILABLE');
    await expectCode(pack.commit(), 'UNAVAILABLE');
    mounts.unmount(path);
    await pack.abort();
    await volume.probe();
    await (await volume.createTray(packIdNumbered(2))).close();
    await volume.close();
    mounts.coverReadOnly(path);
    mounted.push(path);
    await expectCode(opened(), 'UNAVAILABLE');
  });

  it('an empty mount point is a missing volume, and the volume is itself when it is mounted again', async () => {
    const array = join(base, 'array');
    fs.mkdirSync(array);
    mounts.mountBind(array, path);
    const volume = await opened();
    const ref = await putPack(volume, 1, patternBytes(100));
    mounts.unmount(path);
    await expectMissing(volume, ref);
    await expectCode(openLocalVolume({ ...common, path }), 'UNAVAILABLE');
    expect(fs.readdirSync(path)).toEqual([]);
    mounts.mountBind(array, path);
    mounted.push(path);
    await volume.probe();
    await putPack(volume, 2, patternBytes(100));
    expect(await listed(volume, 'pack')).toHaveLength(2);
  });

  it('another array in the same place is a missing volume as well', async () => {
    tmpfs('4m');
    const volume = await opened();
    const ref = await putPack(volume, 1, patternBytes(100));
    tmpfs('4m');
    const other = await openLocalVolume({ ...common, archiveId: 'archive-2', path, create: true });
    await expectMissing(volume, ref);
    expect(await listed(other, 'tray')).toEqual([]);
    expect(fs.readdirSync(join(path, 'tmp'))).toEqual([]);
    await other.close();
  });

  it('what is immutable is neither written nor removed: UNAVAILABLE', async ({ skip }) => {
    const volume = await opened();
    const ref = await putPack(volume, 1, patternBytes(100));
    const file = volume.path(ref);
    if (!mounts.setImmutable(file, true)) skip('the file system of the temporary directory knows no chattr +i');
    try {
      await expectCode(volume.remove(ref), 'UNAVAILABLE');
      expect(await volume.size(ref)).toBe(100);
      mounts.setImmutable(join(path, 'trays'), true);
      await expectCode(volume.createTray(packIdNumbered(2)), 'UNAVAILABLE');
    } finally {
      mounts.setImmutable(join(path, 'trays'), false);
      mounts.setImmutable(file, false);
    }
    await volume.remove(ref);
    await (await volume.createTray(packIdNumbered(2))).close();
  });
});
