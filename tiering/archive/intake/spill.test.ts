// Long instances: with no volume they go to the quorum chunk by chunk (I1, I2, I12), and one whose volume fails under it goes on elsewhere.
import { createHash } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { deflateRawSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeLayout } from '../../../dicom/layout.js';
import { parseInstance } from '../../../dicom/scan/parse-instance.js';
import { ArchiveRig, type RigOptions, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { killEverywhere } from '../../../test/support/kill-everywhere.js';
import { MortalArchive } from '../../../test/support/mortal-archive.js';
import { buildPart10, type Element } from '../../../test/support/part10-builder.js';
import { createWorkerPool } from '../../../workers/pool.js';
import { ArchiveError } from '../../core/errors.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { MEMBER_HEADER_BYTES, TAR_END } from '../../format/tar.js';
import type { PackWriter, Volume } from '../../hot/volume.js';
import type { Archive } from '../archive.js';
import { openArchive } from '../open-archive.js';
import { extractReplica } from '../recovery/extract.js';

const MIB = 1024 * 1024;
const POLICY = { instanceMemoryBytes: MIB, garbageGraceMs: 24 * 3_600_000 };
const WAIT = { timeout: 20_000, interval: 20 };
const BASE = { study: '1.2.3', series: '1.2.3.4' };

const rigs: ArchiveRig[] = [];
const opened: Archive[] = [];
afterEach(async () => {
  for (const archive of opened.splice(0)) await archive.close();
  for (const rig of rigs.splice(0)) await rig.destroy();
});

/** Bytes that look like nothing, the same for the same seed. */
function noise(bytes: number, seed = 1): Buffer {
  const all = Buffer.alloc(bytes);
  let state = seed * 0x2545f491;
  for (let at = 0; at + 4 <= bytes; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    all.writeInt32LE(state | 0, at);
  }
  return all;
}

/** An instance of exactly so many bytes (even), most of them trailing padding. */
function long(sop: string, bytes: number, seed = 1): Buffer {
  const of = (padding: number) => buildPart10({ ...BASE, sop, elements: [['FFFCFFFC', 'OB', noise(padding, seed)]] });
  return of(bytes - of(0).length);
}

/** Opened, with its volume gone. */
async function withoutVolume(options: RigOptions = {}): Promise<ArchiveRig> {
  const rig = await ArchiveRig.create({ ...options, policy: { ...POLICY, ...options.policy } });
  rigs.push(rig);
  await rig.open();
  await rename(rig.path('a'), rig.path('a-away'));
  await mkdir(rig.path('a'));
  await expect.poll(async () => (await rig.archive.status()).ingest, WAIT).toBe('cloud-direct');
  return rig;
}

async function recordOf(archive: Archive, sop: string) {
  return archive.instance({
    study: parseStudyUid(BASE.study),
    series: parseSeriesUid(BASE.series),
    sop: parseSopUid(sop),
  });
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function expectEqual(archive: Archive, sop: string, bytes: Uint8Array): Promise<void> {
  const record = await recordOf(archive, sop);
  expect(record.layout).toBe(encodeLayout(parseInstance(bytes).layout));
  expect(sha256(await readAll(archive.read(record)))).toBe(sha256(bytes));
}

async function keysOn(rig: ArchiveRig, replica: string): Promise<string[]> {
  const store = await rig.store(replica);
  const keys: string[] = [];
  for await (const { key } of store.list('')) if (/^[cm]\//.test(key)) keys.push(key);
  await store.close();
  return keys;
}

describe('a long instance with no volume', () => {
  it('lies on the quorum, sealed chunk by chunk, whatever its length does at the border of a chunk (I1, I2)', async () => {
    const rig = await withoutVolume();
    const around = MEMBER_HEADER_BYTES + TAR_END.length;
    const lengths = [CHUNK_BYTES - around, CHUNK_BYTES - around + 2, 2 * CHUNK_BYTES - around, 2 * MIB];
    const stored = lengths.map((bytes, n) => [`1.9.${n}`, long(`1.9.${n}`, bytes, n + 1)] as const);
    for (const [sop, bytes] of stored) {
      expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
      await expectEqual(rig.archive, sop, bytes);
    }
    expect((await keysOn(rig, 'r1')).length).toBe(1 + 2 + 2 + 1 + stored.length);
    await rig.reopen();
    for (const [sop, bytes] of stored) await expectEqual(rig.archive, sop, bytes);
    const files = new Map<string, string>();
    const store = await rig.store('r2');
    const out = async (path: string, bytes: AsyncIterable<Uint8Array>) =>
      void files.set(path, sha256(await readAll(bytes)));
    expect(await extractReplica({ store, keyring: rig.keyring, out })).toMatchObject({ failures: [] });
    await store.close();
    for (const [sop, bytes] of stored) {
      expect(files.get(`${BASE.study}/${BASE.series}/${sop}.dcm`)).toBe(sha256(bytes));
    }
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
  }, 60_000);

  it('is understood whatever is in it: fragments at every border, and values behind the pixels', async () => {
    const rig = await withoutVolume();
    const fragments = (lengths: readonly number[]) =>
      lengths.map((length, n) => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), noise(length - 4, n + 1)]));
    const image: readonly Element[] = [
      ['00280002', 'US', 1],
      ['00280004', 'CS', 'MONOCHROME2'],
      ['00280010', 'US', 64],
      ['00280011', 'US', 64],
      ['00280100', 'US', 8],
      ['00280101', 'US', 8],
      ['00280102', 'US', 7],
      ['00280103', 'US', 0],
    ];
    const jpeg = '1.2.840.10008.1.2.4.50';
    // Every place of an item header at the border between two chunks.
    const head = buildPart10({ ...BASE, sop: '1.8.1', transferSyntax: jpeg, elements: image }).length + 20;
    const lengths = [CHUNK_BYTES - MEMBER_HEADER_BYTES - head - 60];
    while (lengths.length < 12) lengths.push(2);
    lengths.push(3 * MIB, 100, 2 * MIB);
    const pixels = fragments(lengths.map((length) => Math.max(4, length)));
    const moving = buildPart10({
      ...BASE,
      sop: '1.8.1',
      transferSyntax: jpeg,
      elements: [...image, ['00280008', 'IS', String(pixels.length)], ['7FE00010', 'OB', pixels]],
    });
    // What follows lies too far behind the first chunk and before the end to have been kept: it is asked for.
    const scattered = buildPart10({
      ...BASE,
      sop: '1.8.2',
      elements: [
        ['00091010', 'OB', noise(10 * MIB)],
        ['00091011', 'LO', 'between'],
        ['00091012', 'OB', noise(9 * MIB)],
        ['00091013', 'LO', 'later'],
        ['00091014', 'OB', noise(3 * MIB)],
      ],
    });
    for (const [sop, bytes] of [
      ['1.8.1', moving],
      ['1.8.2', scattered],
    ] as const) {
      expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
      await expectEqual(rig.archive, sop, bytes);
    }
  }, 60_000);

  it('leaves nothing behind when it is refused or there already, and says so of what needs a volume', async () => {
    const rig = await withoutVolume();
    const one = long('1.7.1', 10 * MIB);
    expect(await storeBytes(rig.archive, one)).toMatchObject({ status: 'stored' });
    const kept = await keysOn(rig, 'r1');
    expect(await storeBytes(rig.archive, one)).toMatchObject({ status: 'duplicate' });
    expect(await storeBytes(rig.archive, long('1.7.1', 10 * MIB, 2))).toMatchObject({
      status: 'refused',
      code: 'CONFLICT',
    });
    expect(await storeBytes(rig.archive, noise(9 * MIB))).toMatchObject({ status: 'refused', fault: 'NOT_DICOM' });
    expect(await storeBytes(rig.archive, one.subarray(0, 9 * MIB))).toMatchObject({ fault: 'TRUNCATED' });
    const elements: readonly Element[] = [['FFFCFFFC', 'OB', noise(20 * MIB)]];
    const transfer = { transferSyntax: '1.2.840.10008.1.2.1.99', transform: (data: Buffer) => deflateRawSync(data) };
    await expect(
      storeBytes(rig.archive, buildPart10({ ...BASE, sop: '1.7.2', elements, ...transfer })),
    ).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('needs a volume'),
    });
    expect(await keysOn(rig, 'r1')).toEqual(kept);
    expect(await keysOn(rig, 'r2')).toEqual(kept);
    await expectEqual(rig.archive, '1.7.1', one);
  }, 60_000);

  it('whose replica goes away under it is refused, and what lies there is removed in its time', async () => {
    const rig = await withoutVolume({ policy: { garbageGraceMs: 0 } });
    const bytes = long('1.6.1', 26 * MIB);
    async function* interrupted() {
      for (let at = 0; at < bytes.length; at += MIB) {
        if (at === 20 * MIB) await rename(rig.path('r2'), rig.path('r2-away'));
        yield bytes.subarray(at, at + MIB);
      }
    }
    await expect(rig.archive.receive(interrupted())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(recordOf(rig.archive, '1.6.1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await keysOn(rig, 'r1')).length).toBeGreaterThan(0);
    await rename(rig.path('r2-away'), rig.path('r2'));
    await expect.poll(async () => (await rig.archive.status()).ingest, WAIT).toBe('cloud-direct');
    await expect
      .poll(async () => {
        await rig.archive.repair();
        return [...(await keysOn(rig, 'r1')), ...(await keysOn(rig, 'r2'))];
      }, WAIT)
      .toEqual([]);
    expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
    await expectEqual(rig.archive, '1.6.1', bytes);
  }, 60_000);
});

describe('a volume that fails under a long instance', () => {
  interface Fault {
    readonly code: 'FULL' | 'UNAVAILABLE';
    /** From this append of a pack on; without it the commit fails. */
    readonly append?: number;
    readonly readBack?: 'lost' | 'changed';
  }

  /** A real volume, one step of which fails from some time on, and all that follows. */
  function failing(volume: Volume, { code, append, readBack }: Fault): Volume {
    let failed = false;
    let appends = 0;
    const fail = (): never => {
      failed = true;
      throw new ArchiveError(code, 'this step was made to fail');
    };
    const faulty = (writer: PackWriter): Partial<PackWriter> => ({
      append: async (pieces) => {
        appends += 1;
        return failed || (append !== undefined && appends >= append) ? fail() : writer.append(pieces);
      },
      commit: async () => (append === undefined ? fail() : writer.commit()),
      readBack: async (start, end) => {
        if (readBack === 'lost') return fail();
        const bytes = await writer.readBack(start, end);
        if (readBack === 'changed') bytes[0] = (bytes[0] ?? 0) ^ 1;
        return bytes;
      },
    });
    const own: Partial<Volume> = {
      createPack: async (id) => {
        const writer = await volume.createPack(id);
        return over(writer, faulty(writer));
      },
      probe: async () => (failed ? fail() : volume.probe()),
    };
    return over(volume, own);
  }

  /** `inner`, with some of its methods replaced. */
  function over<T extends object>(inner: T, own: Partial<T>): T {
    return new Proxy(inner, {
      get: (target, key) => {
        const value = (Reflect.get(own, key) ?? Reflect.get(target, key)) as unknown;
        return typeof value === 'function' && !Object.hasOwn(own, key) ? value.bind(target) : value;
      },
    });
  }

  async function on(fault: Fault, others: readonly string[] = []): Promise<{ rig: ArchiveRig; archive: Archive }> {
    const rig = await ArchiveRig.create({ volumes: ['a', ...others], policy: POLICY });
    rigs.push(rig);
    const parts = await rig.parts();
    const volumes = parts.volumes.map(({ name, open }) =>
      name === 'a' ? { name, open: async () => failing(await open(), fault) } : { name, open },
    );
    const archive = await openArchive({ ...parts, volumes });
    opened.push(archive);
    return { rig, archive };
  }

  it('gives back what it has, and the rest goes to the replicas after it', async () => {
    for (const code of ['FULL', 'UNAVAILABLE'] as const) {
      const { archive, rig } = await on({ code, append: 4 });
      const bytes = long('1.5.1', 4 * MIB + 2);
      expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
      await expectEqual(archive, '1.5.1', bytes);
      expect((await keysOn(rig, 'r1')).length).toBe(2);
    }
  }, 60_000);

  it('or to another volume', async () => {
    const { archive, rig } = await on({ code: 'UNAVAILABLE', append: 4 }, ['b']);
    // Whichever of the two was taken first: a disk has no favourites.
    const bytes = long('1.5.4', 4 * MIB);
    expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
    await expectEqual(archive, '1.5.4', bytes);
    expect(await keysOn(rig, 'r1')).toEqual([]);
  }, 60_000);

  it('also when it fails at the very end', async () => {
    const { archive } = await on({ code: 'UNAVAILABLE' });
    const bytes = long('1.5.2', 3 * MIB);
    expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
    await expectEqual(archive, '1.5.2', bytes);
  }, 60_000);

  it('and gives back nothing, or something else: the sender is told to send it again, and nothing is stored', async () => {
    for (const readBack of ['lost', 'changed'] as const) {
      const { archive } = await on({ code: 'UNAVAILABLE', append: 4, readBack });
      await expect(storeBytes(archive, long('1.5.3', 4 * MIB))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('send it again'),
      });
      await expect(recordOf(archive, '1.5.3')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  }, 60_000);
});

describe('killed at every write', () => {
  const pool = createWorkerPool({ threads: 1 });
  let from: MortalArchive;
  beforeAll(async () => {
    from = await MortalArchive.create(pool);
  });
  afterAll(() => pool.close());

  it('a long instance without a volume is whole or not there, and leaves nothing over (I1, I11)', async () => {
    const bytes = long('1.4.1', CHUNK_BYTES + MIB);
    const live = [{ ...BASE, sop: '1.4.1', fileName: '1.4.1', bytes }] as unknown as Parameters<
      typeof killEverywhere
    >[0]['live'];
    const work = async (archive: Archive) => {
      const outcome = await storeBytes(archive, bytes);
      if (outcome.status === 'refused') throw new Error(outcome.detail);
    };
    await killEverywhere({ from, work, live, pointsMin: 10, noVolume: true, ways: ['power'] });
  }, 120_000);
});
