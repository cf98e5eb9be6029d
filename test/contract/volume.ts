// The contract of tiering/hot/volume.ts as a suite that every implementation runs.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../tiering/core/errors.js';
import type { PackId } from '../../tiering/core/ids.js';
import type { PackKind } from '../../tiering/format/types.js';
import type { PackRef, Volume } from '../../tiering/hot/volume.js';
import { packIdNumbered, patternBytes } from '../support/volume-bytes.js';

/** One volume under test, empty at first. */
export interface VolumeUnderTest {
  readonly volume: Volume;
  /** Closes it, and opens what it left behind. */
  reopen(): Promise<Volume>;
  dispose(): Promise<void>;
}

/** Asserts that `work` rejects with an ArchiveError of `code`. */
export async function expectCode(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: 'ArchiveError', code });
}

/** `list` as a sorted array of `id bytes`. */
export async function listed(volume: Volume, kind: PackKind): Promise<string[]> {
  const found: string[] = [];
  for await (const { ref, bytes } of volume.list(kind)) found.push(`${ref.id} ${bytes}`);
  return found.toSorted();
}

async function putPack(volume: Volume, id: PackId, bytes: Uint8Array): Promise<PackRef> {
  const writer = await volume.createPack(id);
  await writer.append([bytes]);
  await writer.commit();
  return { id, kind: 'pack' };
}

/** Runs the contract suite. */
export function describeVolume(name: string, factory: () => Promise<VolumeUnderTest>): void {
  describe(`Volume contract: ${name}`, () => {
    let under: VolumeUnderTest;
    let volume: Volume;
    beforeEach(async () => {
      under = await factory();
      volume = under.volume;
    });
    afterEach(() => under.dispose());
    const get = (): { readonly volume: Volume; readonly reopen: () => Promise<Volume> } => ({
      volume,
      reopen: () => under.reopen(),
    });
    trays(get);
    packs(get);
    reads(get);
    files(get);
    lifetime(get);
    model(get);
  });
}

type Get = () => { readonly volume: Volume; readonly reopen: () => Promise<Volume> };

function trays(get: Get): void {
  const id = packIdNumbered(1);
  const ref: PackRef = { id, kind: 'tray' };

  it('a new tray is empty and listed', async () => {
    const tray = await get().volume.createTray(id);
    expect(tray.id).toBe(id);
    expect(tray.bytes).toBe(0);
    expect(await get().volume.size(ref)).toBe(0);
    expect(await listed(get().volume, 'tray')).toEqual([`${id} 0`]);
    expect(await listed(get().volume, 'pack')).toEqual([]);
  });

  it('append resolves with the offset of its first piece and keeps the order of pieces', async () => {
    const tray = await get().volume.createTray(id);
    const whole = patternBytes(1000);
    expect(await tray.append([whole.subarray(0, 10), whole.subarray(10, 10), whole.subarray(10, 400)])).toBe(0);
    expect(await tray.append([])).toBe(400);
    expect(await tray.append([whole.subarray(400)])).toBe(400);
    expect(tray.bytes).toBe(1000);
    expect(Buffer.from(await get().volume.read(ref, 0, 1000)).equals(whole)).toBe(true);
  });

  it('an append may have more pieces than one system call takes', async () => {
    const tray = await get().volume.createTray(id);
    const whole = patternBytes(9000);
    const pieces = Array.from({ length: 3000 }, (_, n) => whole.subarray(n * 3, n * 3 + 3));
    expect(await tray.append(pieces)).toBe(0);
    expect(Buffer.from(await get().volume.read(ref, 0, 9000)).equals(whole)).toBe(true);
  });

  it('appends that are not waited for are written one after another, and syncs may overlap them', async () => {
    const tray = await get().volume.createTray(id);
    const parts = Array.from({ length: 20 }, (_, n) => patternBytes(5000 + n, n + 1));
    const offsets = await Promise.all(
      parts.map(async (part) => {
        const offset = tray.append([part]);
        await tray.sync();
        return await offset;
      }),
    );
    for (const [n, part] of parts.entries()) {
      const start = offsets[n] ?? -1;
      expect(Buffer.from(await get().volume.read(ref, start, start + part.length)).equals(part)).toBe(true);
    }
    expect(tray.bytes).toBe(await get().volume.size(ref));
  });

  it('a tray is never created twice, closed or not', async () => {
    const tray = await get().volume.createTray(id);
    await expectCode(get().volume.createTray(id), 'CONFLICT');
    await tray.append([patternBytes(10)]);
    await tray.close();
    await expectCode(get().volume.createTray(id), 'CONFLICT');
    expect(await get().volume.size(ref)).toBe(10);
    await get().volume.sync(ref);
    await expectCode(get().volume.sync({ id, kind: 'pack' }), 'ABSENT');
  });

  it('a closed tray takes nothing more and may be closed again', async () => {
    const tray = await get().volume.createTray(id);
    await tray.close();
    await tray.close();
    await expectCode(tray.append([patternBytes(1)]), 'UNAVAILABLE');
    await expectCode(tray.sync(), 'UNAVAILABLE');
  });
}

function packs(get: Get): void {
  const id = packIdNumbered(2);
  const ref: PackRef = { id, kind: 'pack' };

  it('a pack is invisible before its commit and whole after it', async () => {
    const { volume } = get();
    const bytes = patternBytes(70_000);
    const writer = await volume.createPack(id, 70_000);
    expect(await writer.append([bytes.subarray(0, 512)])).toBe(0);
    expect(await writer.append([bytes.subarray(512)])).toBe(512);
    expect(writer.bytes).toBe(70_000);
    await expectCode(volume.read(ref, 0, 1), 'ABSENT');
    await expectCode(volume.size(ref), 'ABSENT');
    expect(await listed(volume, 'pack')).toEqual([]);
    await writer.commit();
    expect(Buffer.from(await volume.read(ref, 0, 70_000)).equals(bytes)).toBe(true);
    expect(await listed(volume, 'pack')).toEqual([`${id} 70000`]);
    expect(await listed(volume, 'tray')).toEqual([]);
  });

  it('rewrite replaces bytes appended before and nothing else, and they can be read back', async () => {
    const { volume } = get();
    const bytes = patternBytes(2000);
    const writer = await volume.createPack(id);
    await writer.append([new Uint8Array(512), bytes.subarray(512)]);
    await expectCode(writer.rewrite(1990, new Uint8Array(11)), 'INVALID');
    await expectCode(writer.rewrite(-1, new Uint8Array(1)), 'INVALID');
    await writer.rewrite(0, bytes.subarray(0, 512));
    expect(writer.bytes).toBe(2000);
    expect(Buffer.from(await writer.readBack(100, 1900)).equals(bytes.subarray(100, 1900))).toBe(true);
    await expectCode(writer.readBack(1000, 2001), 'CORRUPT');
    await writer.commit();
    expect(Buffer.from(await volume.read(ref, 0, 2000)).equals(bytes)).toBe(true);
  });

  it('an aborted pack leaves nothing, and its id is free again', async () => {
    const { volume } = get();
    const writer = await volume.createPack(id);
    await writer.append([patternBytes(100)]);
    await writer.abort();
    await writer.abort();
    await expectCode(writer.append([patternBytes(1)]), 'UNAVAILABLE');
    await expectCode(writer.commit(), 'UNAVAILABLE');
    await expectCode(volume.size(ref), 'ABSENT');
    await putPack(volume, id, patternBytes(7));
    expect(await volume.size(ref)).toBe(7);
  });

  it('abort after commit leaves the pack, and a committed pack takes nothing more', async () => {
    const { volume } = get();
    const writer = await volume.createPack(id);
    await writer.append([patternBytes(100)]);
    await writer.commit();
    await writer.abort();
    await expectCode(writer.append([patternBytes(1)]), 'UNAVAILABLE');
    await expectCode(writer.commit(), 'UNAVAILABLE');
    expect(await volume.size(ref)).toBe(100);
  });

  it('a pack is never written over: not while it is being written, not once it is there', async () => {
    const { volume } = get();
    const writer = await volume.createPack(id);
    await expectCode(volume.createPack(id), 'CONFLICT');
    await writer.append([patternBytes(100)]);
    await writer.commit();
    await expectCode(volume.createPack(id), 'CONFLICT');
    expect(Buffer.from(await volume.read(ref, 0, 100)).equals(patternBytes(100))).toBe(true);
  });

  it('a pack that cannot fit is refused as FULL before a byte is written', async () => {
    const { volume } = get();
    const { bytesFree } = await volume.usage();
    await expectCode(volume.createPack(id, bytesFree * 2 + 1), 'FULL');
    await putPack(volume, id, patternBytes(10));
  });
}

function reads(get: Get): void {
  const id = packIdNumbered(3);
  const ref: PackRef = { id, kind: 'pack' };

  it('a range that the file does not hold is CORRUPT, never short', async () => {
    const { volume } = get();
    await putPack(volume, id, patternBytes(100));
    await expectCode(volume.read(ref, 0, 101), 'CORRUPT');
    await expectCode(volume.read(ref, 100, 101), 'CORRUPT');
    await expectCode(volume.read(ref, 101, 101), 'CORRUPT');
    await expectCode(volume.read(ref, 50, 900_000_000), 'CORRUPT');
    expect((await volume.read(ref, 100, 100)).length).toBe(0);
    expect((await volume.read(ref, 0, 100)).length).toBe(100);
  });

  it('a file that is not there is ABSENT', async () => {
    await expectCode(get().volume.read(ref, 0, 0), 'ABSENT');
    await expectCode(get().volume.size({ id, kind: 'tray' }), 'ABSENT');
  });

  it.each([
    [-1, 5],
    [5, 4],
    [0.5, 2],
    [0, Number.NaN],
    [0, Number.POSITIVE_INFINITY],
  ])('[%s, %s) is no range', async (start, end) => {
    await putPack(get().volume, id, patternBytes(100));
    await expectCode(get().volume.read(ref, start, end), 'INVALID');
  });

  it('each answer is a buffer of its own that may be transferred', async () => {
    const { volume } = get();
    await putPack(volume, id, patternBytes(100));
    const first = await volume.read(ref, 10, 20);
    expect(first.buffer.byteLength).toBe(first.byteLength);
    first.fill(0);
    expect(Buffer.from(await volume.read(ref, 10, 20)).equals(patternBytes(100).subarray(10, 20))).toBe(true);
  });

  it('a signal that has fired ends a read as ABORTED', async () => {
    const { volume } = get();
    await putPack(volume, id, patternBytes(100));
    await expectCode(volume.read(ref, 0, 1, AbortSignal.abort()), 'ABORTED');
    expect((await volume.read(ref, 0, 1, new AbortController().signal)).length).toBe(1);
  });

  it('many readers at once are all served', async () => {
    const { volume } = get();
    const bytes = patternBytes(300_000);
    await putPack(volume, id, bytes);
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const part = await volume.read(ref, n * 1000, n * 1000 + 1500);
        expect(Buffer.from(part).equals(bytes.subarray(n * 1000, n * 1000 + 1500))).toBe(true);
      }),
    );
  });
}

function files(get: Get): void {
  const id = packIdNumbered(4);

  it('remove makes a file absent, and is no error for one that is gone', async () => {
    const { volume } = get();
    const ref = await putPack(volume, id, patternBytes(100));
    await volume.read(ref, 0, 10);
    await volume.remove(ref);
    await expectCode(volume.read(ref, 0, 10), 'ABSENT');
    await volume.remove(ref);
    await volume.remove({ id: packIdNumbered(99), kind: 'tray' });
    await putPack(volume, id, patternBytes(50, 2));
    expect(Buffer.from(await volume.read(ref, 0, 50)).equals(patternBytes(50, 2))).toBe(true);
  });

  it('reads that race a removal give the right bytes or ABSENT', async () => {
    const { volume } = get();
    const bytes = patternBytes(5000);
    const ref = await putPack(volume, id, bytes);
    const outcomes = Array.from({ length: 40 }, () =>
      volume.read(ref, 0, 5000).then(
        (got) => Buffer.from(got).equals(bytes),
        (error: unknown) => (error as { code?: string }).code,
      ),
    );
    await volume.remove(ref);
    for (const outcome of await Promise.all(outcomes)) expect([true, 'ABSENT']).toContain(outcome);
  });

  it('a tray and a pack of one id are two files', async () => {
    const { volume } = get();
    const tray = await volume.createTray(id);
    await tray.append([patternBytes(10)]);
    await tray.close();
    await putPack(volume, id, patternBytes(20));
    await volume.remove({ id, kind: 'tray' });
    expect(await listed(volume, 'tray')).toEqual([]);
    expect(await listed(volume, 'pack')).toEqual([`${id} 20`]);
  });

  it('lists packs of many days', async () => {
    const { volume } = get();
    const days = [0, 1, 86_400_000, 40 * 86_400_000, Date.UTC(1999, 11, 31), 2 ** 48 - 1];
    const ids = days.map((ms, n) => packIdNumbered(n, ms));
    for (const one of ids) await putPack(volume, one, patternBytes(3));
    expect(await listed(volume, 'pack')).toEqual(ids.map((one) => `${one} 3`).toSorted());
  });

  it('usage counts in bytes, and a probe leaves nothing behind', async () => {
    const { volume } = get();
    const { bytesFree, bytesTotal } = await volume.usage();
    expect(bytesTotal).toBeGreaterThan(0);
    expect(bytesFree).toBeGreaterThan(0);
    expect(bytesFree).toBeLessThanOrEqual(bytesTotal);
    await volume.probe();
    expect([...(await listed(volume, 'tray')), ...(await listed(volume, 'pack'))]).toEqual([]);
  });
}

function lifetime(get: Get): void {
  it('after close everything is UNAVAILABLE, and closing again is harmless', async () => {
    const { volume } = get();
    const ref = await putPack(volume, packIdNumbered(5), patternBytes(10));
    const tray = await volume.createTray(packIdNumbered(6));
    await volume.close();
    await volume.close();
    await expectCode(volume.read(ref, 0, 1), 'UNAVAILABLE');
    await expectCode(volume.createTray(packIdNumbered(7)), 'UNAVAILABLE');
    await expectCode(volume.createPack(packIdNumbered(7)), 'UNAVAILABLE');
    await expectCode(volume.probe(), 'UNAVAILABLE');
    await expectCode(tray.append([patternBytes(1)]), 'UNAVAILABLE');
  });

  it('opened again it holds synced trays, committed packs byte for byte and its generation, and no other pack', async () => {
    const { volume, reopen } = get();
    const tray = await volume.createTray(packIdNumbered(8));
    await tray.append([patternBytes(1000)]);
    await tray.sync();
    await putPack(volume, packIdNumbered(9), patternBytes(2000, 2));
    const half = await volume.createPack(packIdNumbered(10));
    await half.append([patternBytes(3000, 3)]);
    expect(await volume.generation()).toBe(0);
    for (const generation of [1, 2, 1_700_000_000]) await volume.setGeneration(generation);
    const again = await reopen();
    expect(await again.generation()).toBe(1_700_000_000);
    expect(await listed(again, 'tray')).toEqual([`${packIdNumbered(8)} 1000`]);
    expect(await listed(again, 'pack')).toEqual([`${packIdNumbered(9)} 2000`]);
    const bytes = await again.read({ id: packIdNumbered(8), kind: 'tray' }, 0, 1000);
    expect(Buffer.from(bytes).equals(patternBytes(1000))).toBe(true);
    await expectCode(again.createTray(packIdNumbered(8)), 'CONFLICT');
    await putPack(again, packIdNumbered(10), patternBytes(5));
  });
}

function model(get: Get): void {
  it('any sequence of appends, commits, removals and reads agrees with a plain map of bytes', async () => {
    const { volume } = get();
    let round = 0;
    const step = fc.record({
      file: fc.nat(3),
      act: fc.constantFrom('write', 'read', 'remove', 'size'),
      length: fc.nat(4000),
      at: fc.nat(5000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        round += 1;
        const truth = new Map<number, Uint8Array>();
        for (const { file, act, length, at } of steps) {
          const ref: PackRef = { id: packIdNumbered(round * 16 + file), kind: 'pack' };
          const held = truth.get(file);
          if (act === 'write' && held === undefined) {
            await putPack(volume, ref.id, patternBytes(length, at));
            truth.set(file, patternBytes(length, at));
          } else if (act === 'remove') {
            await volume.remove(ref);
            truth.delete(file);
          } else if (held === undefined) {
            await expectCode(act === 'size' ? volume.size(ref) : volume.read(ref, 0, 0), 'ABSENT');
          } else if (act === 'size') {
            expect(await volume.size(ref)).toBe(held.length);
          } else if (act === 'read' && at + length <= held.length) {
            expect(Buffer.from(await volume.read(ref, at, at + length)).equals(held.subarray(at, at + length))).toBe(
              true,
            );
          } else if (act === 'read') {
            await expectCode(volume.read(ref, at, at + length), 'CORRUPT');
          }
        }
      }),
      { numRuns: 25 },
    );
  });
}
