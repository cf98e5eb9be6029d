import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listReports, readNamedReport, readReportFile, reportFolder } from './folder.js';

describe('the folder of reports', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'filmroom-reports-'));
    path = join(folder, 'below', 'reports');
  });
  afterEach(async () => rm(folder, { recursive: true, force: true }));

  const name = (n: number, kind = 'drill') => `${kind}-20260101T1200${String(n).padStart(2, '0')}Z-0123abcd.json`;

  it('is made by the first report, lists the newest first and gives each back', async () => {
    expect(await listReports(path)).toEqual([]);
    const store = reportFolder({ path, keep: 10 });
    await Promise.all([1, 3, 2].map((n) => store.put(name(n), `{"n":${n}}`)));
    await store.put(name(4, 'failback'), '{}');
    expect(await listReports(path)).toEqual([
      { name: name(4, 'failback'), kind: 'failback', at: '2026-01-01T12:00:04Z' },
      ...[3, 2, 1].map((n) => ({ name: name(n), kind: 'drill', at: `2026-01-01T12:00:0${n}Z` })),
    ]);
    expect((await readNamedReport(path, name(2))).toString()).toBe('{"n":2}');
  });

  it('keeps so many, removes what a crash left, and nothing that is not its own', async () => {
    const store = reportFolder({ path, keep: 3 });
    await store.put(name(1), '{}');
    await writeFile(join(path, 'notes.txt'), 'mine');
    await writeFile(join(path, '.0123456789abcdef.tmp'), '{"half');
    for (const n of [2, 3, 4, 5]) await store.put(name(n), '{}');
    expect((await readdir(path)).sort()).toEqual([name(3), name(4), name(5), 'notes.txt']);
    expect(await readFile(join(path, 'notes.txt'), 'utf8')).toBe('mine');
  });

  it('names no other file, and says what is not there', async () => {
    const store = reportFolder({ path, keep: 3 });
    await expect(store.put('../x.json', '{}')).rejects.toMatchObject({ code: 'INVALID' });
    expect(() => readNamedReport(path, '../../etc/passwd')).toThrow(expect.objectContaining({ code: 'INVALID' }));
    await expect(readNamedReport(path, name(1))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(readReportFile(folder)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('where no folder can be is an error of the one report, and the next is tried anew', async () => {
    await writeFile(join(folder, 'below'), 'a file');
    const store = reportFolder({ path, keep: 3 });
    await expect(store.put(name(1), '{}')).rejects.toThrow();
    await rm(join(folder, 'below'));
    await store.put(name(1), '{}');
    expect(await listReports(path)).toHaveLength(1);
  });
});
