// Requests that are under way when a volume fails are finished, not failed: a read goes on at the same byte from the replicas, a store is
// answered from another volume or from the replicas. With a volume that hangs, one that answers EIO, and one that is merely slow.
import { afterEach, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { type Ailing, type Ailment, ailing } from '../../../test/support/ailing-volume.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { first, scopeOf } from '../../../test/support/removal-rig.js';
import type { Archive } from '../archive.js';
import { openArchive } from '../open-archive.js';

const PHANTOMS = [...phantomStudies({ seed: 51, studies: 1, slices: 4, shrink: 8 })];
const PHANTOM = first(PHANTOMS);
/** With trailing padding (FFFC,FFFC): several pieces of a volume, two chunks of a replica. */
const LONG = padded(PHANTOM.bytes, 12 * 1024 * 1024);

function padded(bytes: Uint8Array, length: number): Buffer {
  const header = Buffer.from([0xfc, 0xff, 0xfc, 0xff, 0x4f, 0x42, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(length, 8);
  const padding = Buffer.alloc(length);
  for (let at = 0; at < length; at += 4) padding.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return Buffer.concat([bytes, header, padding]);
}

let rig: ArchiveRig;
let archive: Archive;
afterEach(async () => {
  await archive.close();
  await rig.destroy();
});

async function open(volumes: readonly string[] = ['a']): Promise<Ailing> {
  rig = await ArchiveRig.create({ volumes, policy: { probeIntervalMs: 3_600_000 } });
  const control: Ailing = { ailment: () => undefined, ailed: 0 };
  const parts = await rig.parts();
  const [sick, ...well] = parts.volumes;
  if (sick === undefined) throw new Error('no volume');
  const ill = { name: sick.name, open: async () => ailing(await sick.open(), control) };
  archive = await openArchive({ ...parts, volumes: [ill, ...well] });
  return control;
}

const stateOfA = async () => (await archive.status()).volumes.find(({ name }) => name === 'a')?.state;

describe('a read that is under way', () => {
  async function protectedLong(): Promise<Ailing> {
    const control = await open();
    expect(await storeBytes(archive, LONG)).toMatchObject({ status: 'stored' });
    expect(await archive.migrate({ all: true }, { keepHot: true })).toMatchObject({ failures: [], evicted: 0 });
    return control;
  }

  for (const ailment of ['EIO', 'hang', 1_500] as const satisfies readonly Ailment[]) {
    it(`goes on at the same byte from the replicas when the volume ${typeof ailment === 'number' ? 'takes long' : `answers with ${ailment}`}`, async () => {
      const control = await protectedLong();
      const got: Uint8Array[] = [];
      for await (const piece of archive.read(await archive.instance(scopeOf(PHANTOM)))) {
        got.push(piece);
        if (got.length === 2) control.ailment = (call) => (call === 'probe' && ailment !== 'EIO' ? undefined : ailment);
      }
      expect(Buffer.compare(Buffer.concat(got), LONG)).toBe(0);
      expect(control.ailed).toBeGreaterThan(0);
      expect(await stateOfA()).toBe(ailment === 'EIO' ? 'failed' : 'slow');
      // The next one does not wait for it long, and is whole too.
      expect(Buffer.compare(await readAll(archive.read(await archive.instance(scopeOf(PHANTOM)))), LONG)).toBe(0);
    });
  }

  it('is given up by its reader while the volume hangs', async () => {
    const control = await protectedLong();
    control.ailment = (call) => (call === 'read' ? 'hang' : undefined);
    const stop = new AbortController();
    const reading = readAll(archive.read(await archive.instance(scopeOf(PHANTOM)), undefined, stop.signal));
    stop.abort(new Error('the viewer went away'));
    await expect(reading).rejects.toThrow();
  });

  it('of what is not protected waits for the volume, since nobody else has it', async () => {
    const control = await open();
    await storeBytes(archive, LONG);
    control.ailment = (call) => (call === 'read' ? 1_200 : undefined);
    const range = { start: 0, end: 1_000 };
    const got = await readAll(archive.read(await archive.instance(scopeOf(PHANTOM)), range));
    expect(Buffer.compare(got, LONG.subarray(0, 1_000))).toBe(0);
  });
});

describe('a store that is under way', () => {
  for (const [where, volumes, call, ailment] of [
    ['another volume', ['a', 'b'], 'append', 'EIO'],
    ['another volume', ['a', 'b'], 'sync', 'hang'],
    ['the replicas', ['a'], 'append', 'EIO'],
    ['the replicas', ['a'], 'sync', 'EIO'],
    ['the replicas', ['a'], 'create', 'EIO'],
    ['the replicas', ['a'], 'sync', 'hang'],
  ] as const) {
    it(`is answered from ${where} when its ${call} ${ailment === 'EIO' ? 'fails' : 'hangs'}`, async () => {
      const control = await open(volumes);
      control.ailment = (now) => (now === call || now === 'probe' ? ailment : undefined);
      const outcomes = await Promise.all(PHANTOMS.map(({ bytes }) => storeBytes(archive, bytes)));
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'stored' });
      // Of two volumes the arrivals may have gone to the well one from the start.
      if (volumes.length === 1) expect(control.ailed).toBeGreaterThan(0);
      control.ailment = () => undefined;
      for (const phantom of PHANTOMS) {
        const read = await readAll(archive.read(await archive.instance(scopeOf(phantom))));
        expect(Buffer.compare(read, phantom.bytes)).toBe(0);
      }
    });
  }
});
