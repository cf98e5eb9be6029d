import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { arrival, newPack, packId, studyUid } from '../../../test/contract/index-samples.js';
import type { Index } from '../index.js';
import { openSqliteIndex } from './open-sqlite-index.js';

const CHILD = fileURLToPath(new URL('../../../test/support/index-writer-child.js', import.meta.url));

/** The seqs that are live, which must be 1 to n without a gap; resolves with n. */
async function prefixOf(index: Index): Promise<number> {
  const seqs: number[] = [];
  for (const study of [1, 2, 3, 4, 5]) {
    for await (const one of index.instances({ study: studyUid(study) })) seqs.push(one.seq);
  }
  seqs.sort((a, b) => a - b);
  expect(seqs).toEqual(seqs.map((_, at) => at + 1));
  expect(await index.highestSeq()).toBe(seqs.length);
  expect(await index.check()).toEqual([]);
  return seqs.length;
}

/** Starts the writing process and follows what it says. */
function startChild(
  path: string,
  first: number,
): { child: ChildProcess; said: Map<string, number>; open: Promise<void> } {
  const child = spawn(process.execPath, [CHILD, path, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = new Map<string, number>();
  const open = new Promise<void>((resolve) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [word = '', seq = '0'] = line.split(' ');
      said.set(word, Number(seq));
      if (word === 'open') resolve();
    });
  });
  return { child, said, open };
}

describe('an index whose process dies', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'filmroom-index-crash-'));
  });
  afterEach(async () => rm(folder, { recursive: true, force: true }));

  it('keeps a prefix of the commits, everything that was durable, and (I1) everything that was answered', async () => {
    const path = join(folder, 'index.db');
    let before = 0;
    for (const pauseMs of [5, 40, 90, 170]) {
      const { child, said, open } = startChild(path, before + 1);
      await open;
      await expect(openSqliteIndex({ path })).rejects.toMatchObject({ code: 'LOCKED' });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      child.kill('SIGKILL');
      await once(child, 'close');
      const index = await openSqliteIndex({ path });
      const found = await prefixOf(index);
      await index.close();
      expect(found).toBeGreaterThanOrEqual(Math.max(before, said.get('durable') ?? 0, said.get('committed') ?? 0));
      before = found;
    }
    expect(before).toBeGreaterThan(0);
  }, 60_000);

  it('loses a suffix of the commits when the end of its log is torn off, and nothing that was durable', async () => {
    const path = join(folder, 'index.db');
    const index = await openSqliteIndex({ path });
    await index.addPack(newPack(1));
    const commitTo = async (from: number, to: number) => {
      for (let seq = from; seq <= to; seq++) {
        const instances = [arrival({ study: 1 + (seq % 5), series: 1, instance: seq, seq, pack: 1 })];
        await index.commitArrivals({ pack: packId(1), indexedTo: seq, instances });
      }
    };
    await commitTo(1, 20);
    await index.commitDurable();
    const durableBytes = (await stat(`${path}-wal`)).size;
    await commitTo(21, 40);
    const allBytes = (await stat(`${path}-wal`)).size;
    const found: number[] = [];
    for (const share of [0, 0.1, 0.37, 0.7, 0.99, 1]) {
      const copy = join(folder, `copy-${share}`, 'index.db');
      await mkdir(join(folder, `copy-${share}`));
      await copyFile(path, copy);
      await copyFile(`${path}-wal`, `${copy}-wal`);
      await truncate(`${copy}-wal`, Math.floor(durableBytes + share * (allBytes - durableBytes)));
      const torn = await openSqliteIndex({ path: copy });
      found.push(await prefixOf(torn));
      await torn.close();
    }
    await index.close();
    expect(found[0]).toBe(20);
    expect(found[found.length - 1]).toBe(40);
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(new Set(found).size).toBeGreaterThan(3);
  }, 60_000);
});
