// Drills on an archive of real volumes, replicas and SQLite files: what they measure, what they leave behind (nothing), and that what was in their
// way is told.
import { readdir, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, storeBytes } from '../../../test/support/archive-rig.js';
import { parseReplicaName, parseVolumeName } from '../../core/ids.js';
import { readReport, requireOwnKey } from '../../format/signature.js';
import { openSqliteIndex } from '../../index/sqlite/open-sqlite-index.js';
import type { Archive } from '../archive.js';
import { openArchive } from '../open-archive.js';
import type { DrillReport, DrillRequest } from './drill-report.js';

const PHANTOMS = [...phantomStudies({ seed: 41, studies: 2, slices: 2, shrink: 16 })];
/** A loaded machine has slow disks. */
const IN_USE = ['healthy', 'slow'];
const NONE = { instances: 0, bytes: 0, oldestAgeSeconds: null };

let rig: ArchiveRig;
let archive: Archive;
const reports = new Map<string, string>();

async function open(retention: readonly { modality: null; keepMs: number }[] = []): Promise<void> {
  const parts = await rig.parts();
  const scratch = rig.path('scratch');
  archive = await openArchive({
    ...parts,
    policy: { ...parts.policy, retention },
    reports: { put: (name, text) => Promise.resolve(void reports.set(name, text)) },
    scratchIndex: async () => {
      const index = await openSqliteIndex({ path: `${scratch}/filmroom.db` });
      return { index, dispose: () => index.close().then(() => rm(scratch, { recursive: true })) };
    },
  });
}

beforeEach(async () => {
  reports.clear();
  rig = await ArchiveRig.create();
  await rig.open();
  for (const { bytes } of PHANTOMS) await storeBytes(rig.archive, bytes);
  await rig.archive.migrate({ all: true }, { keepHot: true });
  await rig.close();
  // What is to be kept for years is not in the way of a drill's own studies.
  await open([{ modality: null, keepMs: 1e11 }]);
});
afterEach(async () => {
  await archive.close();
  await rig.destroy();
});

const ask = (what: DrillRequest['what'], name: string | null, more: Partial<DrillRequest> = {}): DrillRequest => ({
  what,
  name: name === null ? null : what === 'volume' ? parseVolumeName(name) : parseReplicaName(name),
  forMs: 1_500,
  anyway: false,
  ...more,
});

/** Nothing of the drill is left, and the report is what was returned, signed. */
async function expectEnded(report: DrillReport): Promise<void> {
  const status = await archive.status();
  expect(status.index.instances).toBe(PHANTOMS.length);
  expect(IN_USE).toContain(status.volumes[0]?.state);
  expect(status.replicas.map(({ state }) => state)).toEqual(['available', 'available']);
  const { what, name, outcome } = report;
  expect(status.drills[0]).toMatchObject({ what, name, outcome });
  const signed = readReport(Buffer.from(reports.get(report.report ?? '') ?? ''));
  await requireOwnKey(signed, rig.keyring);
  const { report: _, ...told } = report;
  expect(signed).toMatchObject({ kind: 'drill', report: JSON.parse(JSON.stringify(told)) as object });
}

describe('a drill', () => {
  it.each([
    ['replica', 'r1'],
    ['volume', 'a'],
  ] as const)(
    'of a %s: nothing fails, it is noticed and mended, and measured',
    async (what, name) => {
      const report = await archive.drill(ask(what, name));
      expect(report, JSON.stringify(report.failures)).toMatchObject({
        what,
        name,
        outcome: 'passed',
        failures: [],
        rpo: NONE,
      });
      const { rto, reads, stores } = report;
      expect(reads).toMatchObject({ failed: 0 });
      expect(stores).toMatchObject({ failed: 0 });
      expect(reads.tried).toBeGreaterThan(0);
      for (const ms of [rto.detectedMs, rto.firstReadMs, rto.firstStoreMs, rto.recoveredMs]) expect(ms).not.toBeNull();
      await expectEnded(report);
    },
    120_000,
  );

  it('of a brown-out of all lines: what is slow is still good', async () => {
    const report = await archive.drill(ask('brown-out', null));
    expect(report, JSON.stringify(report.failures)).toMatchObject({
      outcome: 'passed',
      name: null,
      reads: { failed: 0 },
    });
    await expectEnded(report);
  }, 300_000);

  it('of a line whose cut would take cold studies away is refused, and says how many', async () => {
    await archive.migrate({ all: true });
    const { exposed, objections } = await archive.planDrill(ask('link', null));
    expect(exposed).toMatchObject({ instances: PHANTOMS.length });
    expect(objections).toMatchObject([expect.stringContaining('on no volume and on no other replica')]);
    await expect(archive.drill(ask('link', null))).rejects.toMatchObject({ code: 'CONFLICT' });
    // With one replica left all of them can be read.
    expect(await archive.planDrill(ask('link', 'r1'))).toMatchObject({ exposed: { instances: 0 }, objections: [] });
  }, 300_000);

  it('of the index compares every instance, says what only volumes have, and leaves no second one', async () => {
    const first = await archive.drill(ask('index', null, { forMs: 60_000 }));
    expect(first, JSON.stringify(first.failures)).toMatchObject({
      outcome: 'passed',
      rpo: NONE,
      compared: { studies: 2, instances: PHANTOMS.length, different: 0 },
    });
    const [late] = phantomStudies({ seed: 42, studies: 1, slices: 1, shrink: 32 });
    await storeBytes(archive, late?.bytes ?? Buffer.alloc(0));
    const second = await archive.drill(ask('index', null, { forMs: 60_000 }));
    expect(second).toMatchObject({
      outcome: 'passed',
      rpo: { instances: 1, oldestAgeSeconds: expect.any(Number) as number },
    });
    expect(await readdir(rig.dir)).not.toContain('scratch');
    const hurried = await archive.drill(ask('index', null, { forMs: 0 }));
    expect(hurried).toMatchObject({ outcome: 'failed', failures: [{ code: 'LIMIT' }] });
  }, 300_000);

  it('is refused while something speaks against it, beside another, and for what is not there', async () => {
    await archive.failVolume(parseVolumeName('a'));
    expect((await archive.planDrill(ask('replica', 'r1'))).objections).toEqual(['volume a is failed']);
    await expect(archive.drill(ask('replica', 'r1'))).rejects.toMatchObject({ code: 'CONFLICT' });
    // What is out is not taken in by the end of a drill.
    await expect(archive.drill(ask('volume', 'a', { anyway: true }))).rejects.toMatchObject({ code: 'CONFLICT' });
    await archive.returnVolume(parseVolumeName('a'));
    await expect(archive.drill(ask('replica', 'r9'))).rejects.toMatchObject({ code: 'INVALID' });
    const one = archive.drill(ask('replica', 'r2'));
    await expect(archive.drill(ask('replica', 'r1'))).rejects.toMatchObject({ code: 'LOCKED' });
    await one;
  }, 300_000);

  it('that is cancelled is ended and cleaned up, and so is one in whose middle the server is killed', async () => {
    const cancel = new AbortController();
    const running = archive.drill(ask('volume', 'a', { forMs: 600_000 }), { signal: cancel.signal });
    const isOut = async () => expect((await archive.status()).volumes[0]).toMatchObject({ state: 'failed' });
    await vi.waitFor(isOut, { timeout: 60_000, interval: 50 });
    cancel.abort(new Error('enough'));
    const report = await running;
    expect(report).toMatchObject({ outcome: 'interrupted' });
    await expectEnded(report);

    const end = new AbortController();
    const killed = archive.drill(ask('volume', 'a', { forMs: 600_000 }), { signal: end.signal });
    await vi.waitFor(isOut, { timeout: 60_000, interval: 50 });
    // As after a kill: nobody ends it, and the index says that it is on.
    await archive.close();
    end.abort(new Error('there is no process any more'));
    await expect(killed).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await open();
    await vi.waitFor(
      async () => {
        const [last] = (await archive.status()).drills;
        expect(last).toMatchObject({ outcome: 'interrupted' });
        expect(last?.startedAt).not.toBe(report.startedAt);
      },
      { timeout: 60_000, interval: 100 },
    );
    const status = await archive.status();
    expect(IN_USE).toContain(status.volumes[0]?.state);
    expect(status.index.instances).toBe(PHANTOMS.length);
  }, 300_000);
});
