// What became of a volume that was away: every count of its ledger against what was done to it, over restarts and second failures; and its signature.
import { mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { type ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { flipped } from '../../../test/support/chaos-proxy.js';
import {
  destroyRigs,
  files,
  first,
  found,
  PHANTOMS,
  rigOf,
  STUDIES,
  scopeOf,
  WAIT,
} from '../../../test/support/removal-rig.js';
import { parseVolumeName } from '../../core/ids.js';
import { readReport, requireOwnKey } from '../../format/signature.js';
import type { Archive } from '../archive.js';
import { openArchive } from '../open-archive.js';

const A = parseVolumeName('a');
const ALL = { all: true } as const;
const LATER = [...phantomStudies({ seed: 77, studies: 1, slices: 4, shrink: 8 })];

/** Signed reports, by name. */
let reports: Map<string, string>;
let archive: Archive | null = null;

beforeEach(() => {
  reports = new Map();
});
afterEach(async () => {
  await archive?.close();
  archive = null;
  await destroyRigs();
});

/** The rig's archive again, with somebody who keeps reports. */
async function reopen(rig: ArchiveRig): Promise<Archive> {
  await rig.close();
  await archive?.close();
  const put = async (name: string, text: string) => void reports.set(name, text);
  archive = await openArchive({ ...(await rig.parts()), reports: { put } });
  return archive;
}

const packsOf = async (rig: ArchiveRig) => (await files(rig.path('a', 'packs'))).sort();
const ended = async (of: Archive) => first(await of.ledgers(A)).endedAt !== null;

/** Instances that the index has in these files. */
async function countIn(of: Archive, paths: readonly string[]): Promise<number> {
  const records = await Promise.all(PHANTOMS.map((one) => of.instance(scopeOf(one))));
  return records.filter(({ pack }) => paths.some((path) => path.includes(pack))).length;
}

async function fails(of: Archive): Promise<void> {
  await expect.poll(async () => first((await of.status()).volumes).state, WAIT).toBe('failed');
}

it('is told: found, missing, corrupt, repaired, taken in; what is on replicas is whole again, and the statement is signed', async () => {
  const rig = await rigOf({ policy: { settleMs: 0 } });
  await rig.archive.migrate(ALL, { keepHot: true });
  const now = await reopen(rig);
  expect(await now.ledgers()).toEqual([]);
  await rename(rig.path('a'), rig.path('a.away'));
  await fails(now);
  for (const { bytes } of LATER) expect(await storeBytes(now, bytes)).toMatchObject({ status: 'stored' });
  const [gone, short] = await files(rig.path('a.away', 'packs'));
  if (gone === undefined || short === undefined) return expect.fail('two packs');
  const instances = await countIn(now, [gone, short]);
  await rm(gone);
  await truncate(short, 2_000);
  await rename(rig.path('a.away'), rig.path('a'));
  await expect.poll(async () => (await now.ledgers(A)).length, WAIT).toBe(1);
  await expect.poll(() => ended(now), WAIT).toBe(true);

  const ledger = first(await now.ledgers());
  expect(ledger).toMatchObject({
    ...{ volume: 'a', how: 'returned', outcome: 'complete' },
    missing: { packs: 2, instances },
    corrupt: { packs: 0 },
    repaired: { packs: 2, instances },
    takenIn: { instances: LATER.length },
    atRisk: { lost: { packs: 0 } },
  });
  expect(Date.parse(ledger.awaySince)).toBeLessThanOrEqual(Date.parse(ledger.returnedAt));
  expect(await packsOf(rig)).toEqual(expect.arrayContaining([gone, short].map((at) => at.replace('a.away', 'a'))));
  for (const one of [...PHANTOMS, ...LATER]) {
    const bytes = await readAll(now.read(await now.instance(scopeOf(one))));
    expect(Buffer.compare(bytes, one.bytes)).toBe(0);
  }
  expect(await now.scrub({ deep: true })).toMatchObject({ findings: [] });

  const signed = readReport(Buffer.from(reports.get(ledger.report ?? '') ?? expect.fail('no report')));
  await requireOwnKey(signed, rig.keyring);
  const { report: _name, ...stated } = ledger;
  expect(signed).toMatchObject({ kind: 'failback', report: stated });
  // An ordinary start is no return.
  expect(await (await reopen(rig)).ledgers()).toHaveLength(1);
});

it('hashes what too few replicas have: a flipped byte of a last copy is at risk and never given up', async () => {
  const rig = await rigOf({ policy: { moverIntervalMs: 3_600_000 } });
  const now = await reopen(rig);
  await rename(rig.path('a'), rig.path('a.away'));
  await fails(now);
  // Two trays: the one that was open at the restart, and none since.
  const [tray] = await files(rig.path('a.away', 'trays'));
  if (tray === undefined) return expect.fail('no tray');
  const whole = await readFile(tray);
  await writeFile(tray, flipped(whole, 5_000));
  await rename(rig.path('a.away'), rig.path('a'));
  await expect.poll(async () => (await now.ledgers(A)).length, WAIT).toBe(1);
  await expect.poll(() => ended(now), WAIT).toBe(true);
  expect(first(await now.ledgers())).toMatchObject({
    corrupt: { packs: 1, instances: PHANTOMS.length },
    repaired: { packs: 0 },
    atRisk: { lost: { packs: 1 }, unprotected: { packs: 1 } },
  });
  expect(
    await readFile(rig.path('a', tray.slice(rig.path('a.away').length + 1))).then((bytes) =>
      bytes.equals(flipped(whole, 5_000)),
    ),
  ).toBe(true);
  // Mended by hand, the next return finds it good.
  await now.failVolume(A);
  await writeFile(rig.path('a', tray.slice(rig.path('a.away').length + 1)), whole);
  expect(await now.returnVolume(A)).toBe('healthy');
  await expect.poll(() => ended(now), WAIT).toBe(true);
  expect(first(await now.ledgers())).toMatchObject({
    corrupt: { packs: 0 },
    hashed: { packs: 1, instances: PHANTOMS.length },
    atRisk: { lost: { packs: 0 } },
  });
  expect(await now.ledgers()).toHaveLength(2);
  expect(await found(now)).toEqual(PHANTOMS);
});

it('goes on over a restart until everything is brought back, of an adopted disk too', async () => {
  const rig = await rigOf();
  await rig.archive.migrate(ALL, { keepHot: true });
  let now = await reopen(rig);
  await rename(rig.path('a'), rig.path('a.dead'));
  await fails(now);
  // Nothing can be brought back yet.
  for (const name of ['r1', 'r2']) await rename(rig.path(name), rig.path(`${name}.away`));
  await rename(rig.path('a.dead'), rig.path('a.old'));
  await mkdir(rig.path('a'));
  await now.adoptVolume(A);
  expect(first(await now.ledgers())).toMatchObject({ how: 'adopted', outcome: 'going on', missing: { packs: 3 } });
  for (const name of ['r1', 'r2']) await rename(rig.path(`${name}.away`), rig.path(name));
  now = await reopen(rig);
  await expect.poll(() => ended(now), WAIT).toBe(true);
  expect(await now.ledgers()).toMatchObject([
    { how: 'adopted', outcome: 'complete', missing: { packs: 3 }, repaired: { packs: 3, instances: PHANTOMS.length } },
  ]);
  expect(await packsOf(rig)).toHaveLength(STUDIES.length);
  expect(await found(now)).toEqual(PHANTOMS);
});

it('ends when the volume is away again, and the next return has a ledger of its own', async () => {
  const rig = await rigOf({ policy: { moverIntervalMs: 100 } });
  await rig.archive.migrate(ALL, { keepHot: true });
  const now = await reopen(rig);
  await rename(rig.path('a'), rig.path('a.away'));
  await fails(now);
  for (const name of ['r1', 'r2']) await rename(rig.path(name), rig.path(`${name}.away`));
  await rm(first(await files(rig.path('a.away', 'packs'))));
  await rename(rig.path('a.away'), rig.path('a'));
  await expect.poll(async () => first((await now.status()).volumes).state, WAIT).toBe('healthy');
  await expect.poll(async () => (await now.ledgers())[0]?.missing.packs, WAIT).toBe(1);
  await rename(rig.path('a'), rig.path('a.away'));
  await expect.poll(async () => first(await now.ledgers()).outcome, WAIT).toBe('away again');
  for (const name of ['r1', 'r2']) await rename(rig.path(`${name}.away`), rig.path(name));
  await rename(rig.path('a.away'), rig.path('a'));
  await expect
    .poll(async () => (await now.ledgers()).map(({ outcome }) => outcome), WAIT)
    .toEqual(['complete', 'away again']);
  expect(await found(now)).toEqual(PHANTOMS);
});
