// The local volume against the contract, on the disk of the temporary directory, and what only it
// promises: its layout, its identity, its lock.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeVolume, expectCode, listed } from '../../test/contract/volume.js';
import { packIdNumbered, patternBytes } from '../../test/support/volume-bytes.js';
import { systemClock, systemRandom } from '../core/clock.js';
import { parseVolumeName } from '../core/ids.js';
import { type LocalVolumeOptions, openLocalVolume } from './local-volume.js';

const name = parseVolumeName('a');
const common = { name, archiveId: 'archive-1', ownerEpoch: 3, clock: systemClock, random: systemRandom };

describeVolume('local directory', async () => {
  const path = await mkdtemp(join(tmpdir(), 'filmroom-volume-'));
  const volume = await openLocalVolume({ ...common, path, create: true });
  let last = volume;
  return {
    volume,
    reopen: async () => {
      await volume.close();
      last = await openLocalVolume({ ...common, path });
      return last;
    },
    dispose: async () => {
      await last.close();
      await rm(path, { recursive: true });
    },
  };
});

describe('openLocalVolume', () => {
  let base: string;
  let path: string;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'filmroom-volume-'));
    path = join(base, 'deep', 'hot');
  });
  afterEach(() => rm(base, { recursive: true }));
  const opened = (options: Partial<LocalVolumeOptions> = {}) => openLocalVolume({ ...common, path, ...options });

  it('lays files out by the UTC day of their id', async () => {
    const volume = await opened({ create: true });
    const id = packIdNumbered(7, Date.UTC(2031, 0, 31, 23, 59, 59));
    await volume.createTray(id);
    const writer = await volume.createPack(id);
    expect(writer.path.startsWith(join(path, 'tmp'))).toBe(true);
    expect(fs.existsSync(writer.path)).toBe(true);
    await writer.commit();
    expect(fs.existsSync(join(path, 'trays', `${id}.tar`))).toBe(true);
    expect(fs.existsSync(join(path, 'packs', '2031', '01', '31', `${id}.tar`))).toBe(true);
    expect(fs.readdirSync(join(path, 'tmp'))).toEqual([]);
    await volume.close();
  });

  it('a directory without an identity is a missing volume and is not touched', async () => {
    fs.mkdirSync(path, { recursive: true });
    await expectCode(opened(), 'UNAVAILABLE');
    expect(fs.readdirSync(path)).toEqual([]);
    fs.rmdirSync(path);
    await expectCode(opened(), 'UNAVAILABLE');
    expect(fs.existsSync(path)).toBe(false);
  });

  it('a directory that holds other things is never made a volume', async () => {
    fs.mkdirSync(path, { recursive: true });
    fs.writeFileSync(join(path, 'thesis.txt'), 'mine');
    await expectCode(opened({ create: true }), 'UNAVAILABLE');
    expect(fs.readdirSync(path)).toEqual(['thesis.txt']);
    fs.rmSync(join(path, 'thesis.txt'));
    fs.mkdirSync(join(path, 'packs', '2020'), { recursive: true });
    await expectCode(opened({ create: true }), 'UNAVAILABLE');
    expect(fs.readdirSync(path)).toEqual(['packs']);
  });

  it('a creation that was cut off is taken up again, lost+found or not', async () => {
    fs.mkdirSync(join(path, 'lost+found'), { recursive: true });
    fs.mkdirSync(join(path, 'trays'));
    fs.writeFileSync(join(path, 'volume.json.new'), '{');
    await (await opened({ create: true })).close();
    await (await opened()).close();
  });

  it.each([
    ['another archive', { archiveId: 'archive-2' }],
    ['another volume', { name: parseVolumeName('b') }],
    ['an owner of an older epoch', { ownerEpoch: 2 }],
  ])('is FOREIGN to %s, also with create', async (_, other) => {
    await (await opened({ create: true })).close();
    const before = await readFile(join(path, 'volume.json'));
    await expectCode(opened(other), 'FOREIGN');
    await expectCode(opened({ ...other, create: true }), 'FOREIGN');
    expect((await readFile(join(path, 'volume.json'))).equals(before)).toBe(true);
    await (await opened()).close();
  });

  it('writes the epoch of its owner, and stops writing when a newer one has come', async () => {
    await (await opened({ create: true })).close();
    const volume = await opened({ ownerEpoch: 9 });
    const identity = JSON.parse(await readFile(join(path, 'volume.json'), 'utf8')) as { ownerEpoch: number };
    expect(identity.ownerEpoch).toBe(9);
    await writeFile(join(path, 'volume.json'), JSON.stringify({ ...identity, ownerEpoch: 10 }));
    await expectCode(volume.createTray(packIdNumbered(1)), 'UNAVAILABLE');
    await expectCode(volume.createPack(packIdNumbered(1)), 'UNAVAILABLE');
    await expectCode(volume.probe(), 'UNAVAILABLE');
    expect(fs.readdirSync(join(path, 'trays'))).toEqual([]);
    await volume.close();
  });

  it('a damaged identity is UNAVAILABLE and left as it is', async () => {
    await (await opened({ create: true })).close();
    await writeFile(join(path, 'volume.json'), '{"archiveId":');
    await expectCode(opened({ create: true }), 'UNAVAILABLE');
    expect(await readFile(join(path, 'volume.json'), 'utf8')).toBe('{"archiveId":');
  });

  it('a second opener gets LOCKED until the first closes', async () => {
    const first = await opened({ create: true });
    await expectCode(opened(), 'LOCKED');
    await first.probe();
    await first.close();
    await (await opened()).close();
  });

  it('empties tmp and keeps what is foreign out of its lists', async () => {
    await (await opened({ create: true })).close();
    fs.writeFileSync(join(path, 'tmp', 'half.tar'), 'x');
    fs.writeFileSync(join(path, 'trays', 'notes.txt'), 'x');
    fs.writeFileSync(join(path, 'trays', `${packIdNumbered(1)}.tar.bak`), 'x');
    fs.symlinkSync('/etc/passwd', join(path, 'trays', `${packIdNumbered(2)}.tar`));
    fs.mkdirSync(join(path, 'packs', '2031', '01', '30'), { recursive: true });
    fs.writeFileSync(join(path, 'packs', '2031', '01', '30', `${packIdNumbered(3)}.tar`), 'x');
    fs.writeFileSync(join(path, 'packs', '2031', '02'), 'x');
    const volume = await opened();
    expect(fs.readdirSync(join(path, 'tmp'))).toEqual([]);
    expect(await listed(volume, 'tray')).toEqual([]);
    expect(await listed(volume, 'pack')).toEqual([]);
    await expectCode(volume.read({ id: packIdNumbered(2), kind: 'tray' }, 0, 1), 'UNAVAILABLE');
    await volume.close();
  });

  it('keeps no more descriptors open than it may', async () => {
    const volume = await opened({ create: true, filesMax: 4 });
    const before = fs.readdirSync('/proc/self/fd').length;
    for (let n = 0; n < 20; n += 1) {
      const writer = await volume.createPack(packIdNumbered(n));
      await writer.append([patternBytes(10)]);
      await writer.commit();
      await volume.read({ id: packIdNumbered(n), kind: 'pack' }, 0, 10);
    }
    await volume.probe();
    expect(fs.readdirSync('/proc/self/fd').length - before).toBeLessThanOrEqual(5);
    await volume.close();
  });
});

describe('a volume whose process is killed', () => {
  it('holds everything that was synced, and its lock is free', async () => {
    const path = await mkdtemp(join(tmpdir(), 'filmroom-volume-'));
    const child = fork(new URL('../../test/support/volume-child.js', import.meta.url), [path]);
    let synced = 0;
    let packed = false;
    child.on('message', (message: { synced?: number; packed?: boolean }) => {
      synced = Math.max(synced, message.synced ?? 0);
      packed ||= message.packed === true;
      if (synced >= 200_000 && packed) child.kill('SIGKILL');
    });
    await expectCode(whenLocked(path), 'LOCKED');
    await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    const volume = await openLocalVolume({ ...common, path });
    const ref = { id: packIdNumbered(1), kind: 'tray' } as const;
    expect(await volume.size(ref)).toBeGreaterThanOrEqual(synced);
    const bytes = await volume.read(ref, 0, synced);
    for (let at = 0; at < synced; at += 1000) {
      expect(Buffer.from(bytes.subarray(at, at + 1000)).equals(patternBytes(1000, at / 1000 + 1))).toBe(true);
    }
    expect(await listed(volume, 'pack')).toEqual([`${packIdNumbered(2)} 5000`]);
    await volume.close();
    await rm(path, { recursive: true });
  });
});

/** Tries to open until the child holds the lock; rejects with what it then gets. */
async function whenLocked(path: string): Promise<void> {
  for (;;) {
    try {
      await (await openLocalVolume({ ...common, path })).close();
    } catch (error) {
      if ((error as { code?: string }).code !== 'UNAVAILABLE') throw error;
    }
    await systemClock.sleep(20);
  }
}
