// The directory store: the contract, and what only a directory can do wrong.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeObjectStore, expectUnavailable } from '../../../test/contract/object-store.js';
import { bytesOf } from '../../../test/support/bytes.js';
import { systemClock, systemRandom } from '../../core/clock.js';
import { parseObjectKey } from '../../core/ids.js';
import type { ObjectStore } from '../object-store.js';
import { createDirectoryStore } from './create-directory-store.js';
import { DirectoryObjectStore } from './directory-object-store.js';

const given = { clock: systemClock, random: systemRandom };
const key = parseObjectKey;

async function listed(store: ObjectStore, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const entry of store.list(prefix)) keys.push(entry.key);
  return keys;
}

for (const [name, namesMax] of [
  ['directory', undefined],
  ['directory, folders listed three names at a time', 3],
] as const) {
  describeObjectStore(
    name,
    async () => {
      const root = await mkdtemp(join(tmpdir(), 'filmroom-directory-'));
      const make = (create: boolean) =>
        namesMax === undefined
          ? createDirectoryStore({ root: join(root, 'store'), create, ...given })
          : new DirectoryObjectStore({ root: join(root, 'store'), create, namesMax, ...given });
      return {
        store: make(true),
        missing: () => createDirectoryStore({ root: join(root, 'missing'), create: false, ...given }),
        reopen: () => make(false),
        dispose: () => rm(root, { recursive: true }),
      };
    },
    {
      supports: { nestedKeys: false },
      skip:
        namesMax === undefined ? {} : { 'goes through more keys than a page holds, and on from any of them': 'slow' },
    },
  );
}

describe('DirectoryObjectStore', () => {
  let root: string;
  let store: ObjectStore;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'filmroom-directory-'));
    store = createDirectoryStore({ root, create: true, ...given });
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('stores an object as a plain file whose path is its key', async () => {
    await store.put(key('c/ab/cdef'), bytesOf(1000));
    expect(Buffer.compare(await readFile(join(root, 'c/ab/cdef')), bytesOf(1000))).toBe(0);
  });

  it('takes an empty folder for a missing disk: UNAVAILABLE, and nothing is written to it', async () => {
    const mountPoint = join(root, 'mnt');
    await mkdir(mountPoint);
    await expectUnavailable(createDirectoryStore({ root: mountPoint, create: false, ...given }));
    expect(await readdir(mountPoint)).toEqual([]);
  });

  it('notices that its disk has gone and come back, and says ABSENT only while it is there', async () => {
    const mounted = createDirectoryStore({ root: join(root, 'disk'), create: true, ...given });
    await mounted.put(key('a/b'), bytesOf(5));
    await rename(join(root, 'disk'), join(root, 'away'));
    await expectUnavailable(mounted);
    await mkdir(join(root, 'disk'));
    await expectUnavailable(mounted);
    expect(await readdir(join(root, 'disk'))).toEqual([]);
    await rm(join(root, 'disk'), { recursive: true });
    await rename(join(root, 'away'), join(root, 'disk'));
    expect(await mounted.head(key('a/b'))).toEqual({ bytes: 5 });
    await expect(mounted.head(key('a/c'))).rejects.toMatchObject({ code: 'ABSENT' });
    await mounted.put(key('a/c'), bytesOf(6));
    expect(await listed(mounted)).toEqual(['a/b', 'a/c']);
  });

  it('opens a folder that was copied there by other tools', async () => {
    await mkdir(join(root, 'copy/c/ab'), { recursive: true });
    await writeFile(join(root, 'copy/c/ab/x'), bytesOf(7));
    const copy = createDirectoryStore({ root: join(root, 'copy'), create: false, ...given });
    expect(await listed(copy)).toEqual(['c/ab/x']);
    await copy.put(key('c/ab/y'), bytesOf(8));
    expect(await listed(copy)).toEqual(['c/ab/x', 'c/ab/y']);
  });

  it('skips foreign names, temporary files and symbolic links in a listing', async () => {
    await store.put(key('a/b'), bytesOf(1));
    await writeFile(join(root, 'a/.hidden'), 'x');
    await writeFile(join(root, 'a/with space'), 'x');
    await writeFile(join(root, 'a/ü'), 'x');
    await symlink('/etc', join(root, 'a/etc'));
    await symlink('/etc/hostname', join(root, 'a/hostname'));
    expect(await listed(store)).toEqual(['a/b']);
  });

  it('never follows a symbolic link out of its root', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'filmroom-outside-'));
    await writeFile(join(outside, 'secret'), 'secret');
    await store.put(key('a/b'), bytesOf(1));
    await symlink(outside, join(root, 'out'));
    await symlink(join(outside, 'secret'), join(root, 'a/link'));
    await expect(store.get(key('out/secret'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(store.head(key('out/secret'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(store.put(key('out/new'), bytesOf(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(store.delete(key('out/secret'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(store.get(key('a/link'))).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(await readdir(outside)).toEqual(['secret']);
    // A put mends it: the link is replaced, what it led to is left alone.
    await store.put(key('a/link'), bytesOf(9));
    expect((await store.get(key('a/link'))).byteLength).toBe(9);
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret');
    await rm(outside, { recursive: true });
  });

  it('calls a file that became shorter CORRUPT for the range it had', async () => {
    await store.put(key('a/b'), bytesOf(1000));
    await writeFile(join(root, 'a/b'), bytesOf(500));
    await expect(store.get(key('a/b'), { start: 400, end: 600 })).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('leaves no temporary file behind, and removes those of a process that died long ago', async () => {
    await store.put(key('a/b'), bytesOf(1000));
    await store.put(key('a/b'), bytesOf(1000), { ifAbsent: true }).catch(() => undefined);
    await store.put(key('a'), bytesOf(1000)).catch(() => undefined);
    expect(await readdir(join(root, '.tmp'))).toEqual([]);
    await writeFile(join(root, '.tmp/old'), 'x');
    await writeFile(join(root, '.tmp/new'), 'x');
    await utimes(join(root, '.tmp/old'), new Date(0), new Date(0));
    const again = createDirectoryStore({ root, create: true, ...given });
    await again.head(key('a/b'));
    expect(await readdir(join(root, '.tmp'))).toEqual(['new']);
  });

  it('removes the folder of a deleted object when it is empty, while others write into it', async () => {
    for (let round = 0; round < 20; round += 1) {
      await store.put(key('m/p/1'), bytesOf(1));
      await Promise.all([store.delete(key('m/p/1')), store.put(key('m/p/2'), bytesOf(2))]);
      expect(await store.head(key('m/p/2'))).toEqual({ bytes: 2 });
      await store.delete(key('m/p/2'));
    }
    expect(await readdir(root)).toEqual(expect.not.arrayContaining(['p']));
    expect(await listed(store)).toEqual([]);
  });

  it.skipIf(process.getuid?.() === 0)('calls what the file system refuses UNAVAILABLE, never absent', async () => {
    await store.put(key('a/b'), bytesOf(1));
    await chmod(join(root, 'a'), 0);
    await expect(store.get(key('a/b'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await chmod(join(root, 'a'), 0o755);
  });
});

const mounts = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

describe.skipIf(!mounts)('DirectoryObjectStore on a file system that fails (needs root to mount one)', () => {
  let root: string;
  let store: ObjectStore;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'filmroom-mount-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', root]);
    store = createDirectoryStore({ root, create: true, ...given });
  });
  afterEach(async () => {
    spawnSync('umount', ['-l', root]);
    await rm(root, { recursive: true, force: true });
  });

  it('answers FULL when there is no space, keeps nothing of the object, and goes on when there is', async () => {
    await store.put(key('a/b'), bytesOf(600_000));
    await expect(store.put(key('a/c'), bytesOf(600_000))).rejects.toMatchObject({ code: 'FULL' });
    await expect(store.head(key('a/c'))).rejects.toMatchObject({ code: 'ABSENT' });
    expect(await readdir(join(root, '.tmp'))).toEqual([]);
    await store.delete(key('a/b'));
    await store.put(key('a/c'), bytesOf(600_000));
  });

  it('answers UNAVAILABLE to writes on a read-only file system, and reads on', async () => {
    await store.put(key('a/b'), bytesOf(1000));
    execFileSync('mount', ['-o', 'remount,ro', root]);
    await expect(store.put(key('a/c'), bytesOf(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(store.delete(key('a/b'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await store.get(key('a/b'))).byteLength).toBe(1000);
  });

  it('answers UNAVAILABLE to everything once the disk is unmounted', async () => {
    await store.put(key('a/b'), bytesOf(1000));
    execFileSync('umount', [root]);
    await expectUnavailable(store);
    expect(await readdir(root)).toEqual([]);
  });
});
