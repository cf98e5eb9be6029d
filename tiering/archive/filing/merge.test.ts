// A study that comes in drops, each filed before the next: it must not end up in as many packs.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { phantomCt } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../core/ids.js';

let rig: ArchiveRig | undefined;
afterEach(async () => {
  await rig?.destroy();
});

async function packFiles(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true });
  return names.filter((name) => name.endsWith('.tar')).length;
}

describe('merging', () => {
  it('gathers a study of many small packs into one, in reading order, and changes no byte', async () => {
    rig = await ArchiveRig.create({ policy: { settleMs: 0, moverIntervalMs: 20 } });
    const archive = await rig.open();
    // Last slice first: reading order is not the order of arrival.
    const phantoms = Array.from({ length: 12 }, (_, n) => phantomCt({ seed: 3, index: 11 - n, rows: 16, columns: 16 }));
    let most = 0;
    for (const phantom of phantoms) {
      const before = await packFiles(rig.path('a', 'packs'));
      expect(await storeBytes(archive, phantom.bytes)).toMatchObject({ status: 'stored' });
      await expect
        .poll(async () => (await packFiles(rig?.path('a', 'packs') ?? '')) !== before, {
          timeout: 10_000,
          interval: 10,
        })
        .toBe(true);
      most = Math.max(most, await packFiles(rig.path('a', 'packs')));
    }
    await expect.poll(() => packFiles(rig?.path('a', 'packs') ?? ''), { timeout: 10_000 }).toBeLessThan(most);
    const [first] = phantoms;
    const study = parseStudyUid(first?.study ?? '');
    const numbers: (number | null)[] = [];
    for await (const one of archive.instances({ study })) numbers.push(one.instanceNumber);
    expect(numbers).toEqual(Array.from({ length: 12 }, (_, n) => n + 1));
    for (const phantom of phantoms) {
      const scope = { study, series: parseSeriesUid(phantom.series), sop: parseSopUid(phantom.sop) };
      const bytes = await readAll(archive.read(await archive.instance(scope)));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(
        createHash('sha256').update(phantom.bytes).digest('hex'),
      );
    }
  });
});
