// A job on an archive in memory, killed at every single write of the index, of every replica and of the volume, and taken to its end by
// whoever comes next (I11).
import { expect } from 'vitest';
import type { PhantomInstance } from '../../dicom/phantom/phantom.js';
import type { Archive } from '../../tiering/archive/archive.js';
import { Mortality } from './mortal.js';
import type { Life, MortalArchive } from './mortal-archive.js';

/** Before the write is done, after it is done, and by a power cut after it. */
const WAYS = ['done', 'undone', 'power'] as const;

export interface Enumeration {
  readonly from: MortalArchive;
  /** Rejects when it did not come to its end; may be called again. */
  readonly work: (archive: Archive) => Promise<void>;
  readonly live: readonly PhantomInstance[];
  readonly pointsMin: number;
  /** Whose volume is away while it is killed. */
  readonly noVolume?: boolean;
  /** Default: all of them. */
  readonly ways?: readonly ('done' | 'undone' | 'power')[];
}

/** Kills `work` at each of its writes in each way, and takes it to its end. */
export async function killEverywhere({
  from,
  work,
  live,
  pointsMin,
  noVolume = false,
  ways = WAYS,
}: Enumeration): Promise<void> {
  const whole = new Mortality();
  const reference = await from.copy();
  await reference.live(work, { mortality: whole, noVolume });
  await reference.expectWhole(live);
  const left = await reference.counts();
  const points = whole.writes.length;
  const holes: string[] = [];
  expect(points).toBeGreaterThanOrEqual(pointsMin);
  for (let at = 1; at <= points; at += 1) {
    for (const way of ways) {
      const archive = await from.copy();
      const mortality = new Mortality(at, way === 'undone');
      const life: Life = { mortality, power: way === 'power', noVolume };
      const error = await archive.live(work, life).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      const what = `killed at ${at}, ${mortality.writes.at(-1)}, ${way}`;
      // Where two writes go on at once, the last of them may be one that nobody waits for.
      if (error === null) expect(mortality.dead || mortality.writes.length < at, what).toBe(true);
      try {
        await archive.live(work, { noVolume });
        await archive.expectWhole(live, at);
        expect(await archive.counts()).toEqual(left);
      } catch (failure) {
        holes.push(`${what}: ${failure instanceof Error ? failure.message : String(failure)}`);
      }
    }
  }
  expect(holes).toEqual([]);
}

/** Rejects when something of a job's report failed. */
export async function done(
  report: Promise<{ readonly failures: readonly { readonly detail: string }[] }>,
): Promise<void> {
  const { failures } = await report;
  if (failures.length > 0) throw new Error(failures.map(({ detail }) => detail).join('; '));
}
