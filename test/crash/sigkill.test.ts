// SIGKILL at random moments of running ingest, deletes and migrate: nothing that was acknowledged is lost or
// changed (I1, I11), and no delete that was acknowledged comes undone (I9). FILMROOM_KILLS sets how many (CI runs a slice), FILMROOM_SEED repeats a run's moments.
import { createHash, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PhantomInstance, phantomStudies } from '../../dicom/phantom/phantom.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { retrieve, stow } from '../support/stow.js';

const KILLS = Number(process.env['FILMROOM_KILLS'] ?? 15);
const SEED = Number(process.env['FILMROOM_SEED'] ?? randomInt(2 ** 31));
/** Stores on their way at once. */
const CLIENTS = 6;
/** One of so many instances is deleted. */
const DELETED_OF = 5;
/** So many of the latest deletes are looked at after each kill, all of them in the end. */
const SAMPLE = 100;
/** A machine that does much else may take its time; this is no measurement. */
const START_MS = 120_000;

interface Acknowledged {
  readonly study: string;
  readonly series: string;
  readonly sop: string;
  readonly sha256: string;
}

/** mulberry32: small, seeded, good enough to choose moments. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function* endlessPhantoms(): Generator<PhantomInstance, never> {
  for (let seed = SEED; ; seed += 1) yield* phantomStudies({ seed, studies: 3, slices: 4, shrink: 8 });
}

let gateway: GatewayProcess;
const acknowledged: Acknowledged[] = [];
/** Answered 204 or 202: gone for good. */
const deleted: Acknowledged[] = [];

// Each attempt has a server and an account of its own.
beforeEach(async () => {
  acknowledged.length = 0;
  deleted.length = 0;
  gateway = await GatewayProcess.prepare({ hot: { volumes: [{ name: 'a', path: './hot' }], settle: '1s' } });
});
afterEach(async () => {
  await gateway.destroy();
});

async function ingest(phantoms: ReturnType<typeof endlessPhantoms>, stop: AbortSignal): Promise<void> {
  // By hand: leaving a for-of loop would end the generator for every other client too.
  while (!stop.aborted) {
    const phantom = phantoms.next().value;
    const sha256 = createHash('sha256').update(phantom.bytes).digest('hex');
    try {
      const answer = await stow(gateway.url, [phantom.bytes], stop);
      if (answer.stored.includes(phantom.sop)) {
        acknowledged.push({ study: phantom.study, series: phantom.series, sop: phantom.sop, sha256 });
      }
    } catch {
      // The server died under it: not acknowledged, so nothing is owed.
      return;
    }
  }
}

async function migrateOverAndOver(stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await gateway.job('migrate', { all: true }, stop).catch(() => sleep(20));
  }
}

/** Deletes one of many, as it came in; whose delete was not answered may be there or not, and is owed nothing. */
async function deleteSome(stop: AbortSignal): Promise<void> {
  for (let at = acknowledged.length; !stop.aborted; ) {
    if (at >= acknowledged.length) {
      await sleep(5);
      continue;
    }
    const [one] = acknowledged.splice(at, 1);
    at += DELETED_OF - 1;
    if (one === undefined) continue;
    const url = `${gateway.url}/dicomweb/studies/${one.study}/series/${one.series}/instances/${one.sop}`;
    try {
      const { status } = await fetch(url, { method: 'DELETE', signal: stop });
      if (status === 204 || status === 202) deleted.push(one);
    } catch {
      return;
    }
  }
}

/** Those of the sample that are found although their delete was acknowledged. */
async function undone(sample: readonly Acknowledged[]): Promise<string[]> {
  const back: string[] = [];
  for (const one of sample) {
    const url = `${gateway.url}/dicomweb/studies/${one.study}/series/${one.series}/instances/${one.sop}/metadata`;
    const { status } = await fetch(url);
    if (status !== 404) back.push(`${one.sop}: ${status}`);
  }
  return back;
}

async function lostOrChanged(sample: readonly Acknowledged[]): Promise<string[]> {
  const bad: string[] = [];
  for (const one of sample) {
    const bytes = await retrieve(gateway.url, one).catch((error: unknown) => String(error));
    if (typeof bytes === 'string') bad.push(`${one.sop}: ${bytes}`);
    else if (createHash('sha256').update(bytes).digest('hex') !== one.sha256) bad.push(`${one.sop}: changed`);
  }
  return bad;
}

describe(`${KILLS} SIGKILLs under ingest, deletes and migrate`, () => {
  it('lose, change and bring back nothing of what was acknowledged', {
    timeout: 60_000 + KILLS * 20_000,
    retry: 0,
  }, async () => {
    const random = seeded(SEED);
    const phantoms = endlessPhantoms();
    let checked = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      await gateway.start(START_MS);
      const bad = await lostOrChanged(acknowledged.slice(checked));
      expect(bad, `SEED=${SEED} after kill ${kill}`).toEqual([]);
      expect(await undone(deleted.slice(-SAMPLE)), `SEED=${SEED} after kill ${kill}`).toEqual([]);
      checked = acknowledged.length;
      const stop = new AbortController();
      const work = [
        migrateOverAndOver(stop.signal),
        deleteSome(stop.signal),
        ...Array.from({ length: CLIENTS }, () => ingest(phantoms, stop.signal)),
      ];
      await sleep(50 + random() * 900);
      await gateway.kill('SIGKILL');
      stop.abort();
      await Promise.all(work);
    }
    await gateway.start();
    expect(await lostOrChanged(acknowledged), `SEED=${SEED}`).toEqual([]);
    expect(await undone(deleted), `SEED=${SEED}`).toEqual([]);
    const scrub = await gateway.job('scrub', { deep: true });
    expect(scrub['report'], `SEED=${SEED}`).toMatchObject({ findings: [] });
    // Kills without anything at stake would prove nothing.
    expect(acknowledged.length).toBeGreaterThan(KILLS);
    expect(deleted.length).toBeGreaterThan(KILLS / 5);
    console.info(
      `${KILLS} kills, ${acknowledged.length} instances acknowledged, 0 lost or changed, ${deleted.length} deleted, 0 back, SEED=${SEED}`,
    );
  });
});
