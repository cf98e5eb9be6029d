// The replicas: the contract for the composition, whole and with one dead, and how reads, writes and
// identities behave when replicas fail in different ways.
import { describe, expect, it } from 'vitest';
import { describeObjectStore } from '../../../test/contract/object-store.js';
import { bytesOf } from '../../../test/support/bytes.js';
import { FaultyObjectStore } from '../../../test/support/faulty-object-store.js';
import { systemClock, systemRandom } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import { parseObjectKey, parseReplicaName, type ReplicaName } from '../../core/ids.js';
import { CONFIG_NAME, encodeConfig, README_NAME } from '../../format/names.js';
import { MemoryObjectStore } from '../memory/memory-object-store.js';
import { ReplicaSet } from './replica-set.js';

const ARCHIVE = '0190b6f4-7c1e-7d3a-8a55-0123456789ab';
const OTHER = '0190b6f4-7c1e-7d3a-8a55-ba9876543210';
const key = parseObjectKey('c/ab/x');
const body = bytesOf(10_000, 3);
const name = (number: number) => parseReplicaName(`r${number}`);
const given = { clock: systemClock, random: systemRandom, archiveId: ARCHIVE };
const keep = (bytes: Uint8Array) => bytes;

interface Lab {
  readonly set: ReplicaSet;
  readonly faulty: readonly FaultyObjectStore[];
  readonly of: (number: number) => FaultyObjectStore;
}

async function lab(count: number, writeQuorum: number, create = true): Promise<Lab> {
  const faulty = Array.from({ length: count }, () => new FaultyObjectStore(new MemoryObjectStore()));
  const replicas = faulty.map((store, at) => ({ name: name(at + 1), store }));
  const set = new ReplicaSet(replicas, { writeQuorum, ...given });
  await set.open({ create });
  const of = (number: number) => faulty[number - 1] ?? expect.fail('no such replica');
  return { set, faulty, of };
}

const timed = async <T>(work: Promise<T>): Promise<{ value: T; ms: number }> => {
  const began = performance.now();
  const value = await work;
  return { value, ms: performance.now() - began };
};
const stateOf = (set: ReplicaSet, number: number) => set.state()[number - 1];
const equal = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

const composed = (count: number, quorum: number, spoil: (lab: Lab) => void) => async () => {
  const one = await lab(count, quorum);
  spoil(one);
  return { store: one.set.asObjectStore(), dispose: () => one.set.close() };
};
describeObjectStore(
  'three replicas, quorum two',
  composed(3, 2, () => undefined),
);
describeObjectStore(
  'one replica',
  composed(1, 1, () => undefined),
);
describeObjectStore(
  'three replicas, quorum two, one dead',
  composed(3, 2, ({ of }) => of(2).fail({ code: 'UNAVAILABLE' })),
  { supports: { absence: false, delete: false } },
);
describeObjectStore('a guarded replica', async () => {
  const { set } = await lab(1, 1);
  return { store: set.store(name(1)), dispose: () => set.close() };
});

describe('identity', () => {
  it('is created on an empty replica only where that was asked for', async () => {
    const made = await lab(1, 1);
    expect(stateOf(made.set, 1)).toMatchObject({ state: 'available', detail: null });
    expect(Buffer.from(await made.of(1).get(README_NAME)).toString()).toContain(ARCHIVE);
    const not = await lab(1, 1, false);
    expect(stateOf(not.set, 1)).toMatchObject({ state: 'unavailable', detail: expect.stringContaining('config') });
    await expect(not.set.store(name(1)).put(key, body)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(not.set.store(name(1)).head(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(not.of(1).calls.filter(({ method }) => method === 'put')).toEqual([]);
  });

  it('is never written into a store that has objects and no config, nor over another archive', async () => {
    const used = new MemoryObjectStore();
    await used.put(key, body);
    const foreign = new MemoryObjectStore();
    await foreign.put(
      CONFIG_NAME,
      encodeConfig({ formatVersion: 1, archiveId: OTHER, ownerEpoch: 1, generation: 0, suites: [1] }),
    );
    const replicas = [used, foreign].map((store, at) => ({ name: name(at + 1), store }));
    const set = new ReplicaSet(replicas, { writeQuorum: 1, ...given });
    await set.open({ create: true });
    expect(set.state()).toMatchObject([
      { state: 'unavailable', detail: expect.stringContaining('not empty') },
      { state: 'unavailable', detail: expect.stringContaining(OTHER) },
    ]);
    await expect(set.read(key, undefined, keep)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(set.putQuorum(key, body)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(foreign.head(key)).rejects.toMatchObject({ code: 'ABSENT' });
  });

  it('that was lost makes an absent count for nothing: an emptied bucket does not lose an image', async () => {
    const { set, faulty, of } = await lab(2, 2);
    await set.putQuorum(key, body);
    for (const store of faulty) await store.delete(key);
    await expect(set.read(key, undefined, keep)).rejects.toMatchObject({ code: 'ABSENT' });
    await of(2).delete(CONFIG_NAME);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    await expect(set.read(key, undefined, keep)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(stateOf(set, 2)).toMatchObject({ state: 'unavailable' });
    expect(stateOf(set, 1)).toMatchObject({ state: 'available' });
  });

  it('is looked at again by probe, so that a replica that was away at the start joins', async () => {
    const faulty = [1, 2].map(() => new FaultyObjectStore(new MemoryObjectStore()));
    const replicas = faulty.map((store, at) => ({ name: name(at + 1), store }));
    await new ReplicaSet(replicas, { writeQuorum: 2, ...given }).open({ create: true });
    faulty[1]?.fail({ code: 'UNAVAILABLE' });
    const set = new ReplicaSet(replicas, { writeQuorum: 2, ...given });
    await set.open({ create: false });
    expect(set.state().map(({ state }) => state)).toEqual(['available', 'unavailable']);
    await expect(set.putQuorum(key, body)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    faulty[1]?.heal();
    await set.probe();
    expect(set.state().map(({ state }) => state)).toEqual(['available', 'available']);
    await set.putQuorum(key, body);
  });

  it('joins by a call alone, once its breaker has been open for a while', async () => {
    const { set, of } = await lab(1, 1);
    of(1).fail({ code: 'UNAVAILABLE' });
    for (let at = 0; at < 3; at += 1) await set.putQuorum(key, body).catch(() => undefined);
    of(1).heal();
    await expect(set.putQuorum(key, body)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await new Promise((resolve) => setTimeout(resolve, 2_600));
    await set.putQuorum(key, body);
    expect(stateOf(set, 1)).toMatchObject({ state: 'available' });
  });
});

describe('read', () => {
  it('goes on to the next replica on absent, corrupt and unavailable, and tells which was at fault', async () => {
    const { set, of } = await lab(3, 3);
    await set.putQuorum(key, body);
    await of(1).delete(key);
    of(2).fail({ methods: ['get'], keys: (text) => text === key, change: () => bytesOf(5) });
    const faults: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      const avoid = new Set([name(3)]);
      const check = (bytes: Uint8Array) => {
        if (!equal(bytes, body)) throw new ArchiveError('CORRUPT', 'not the bytes');
        return bytes;
      };
      const onFault = (replica: ReplicaName, fault: string) => void faults.push(`${replica} ${fault}`);
      expect(equal(await set.read(key, undefined, check, { avoid, onFault }), body)).toBe(true);
    }
    expect([...new Set(faults)].sort()).toEqual(['r1 missing', 'r2 corrupt']);
  });

  it.each([
    ['ABSENT', ['ABSENT', 'ABSENT'], 'ABSENT'],
    ['CORRUPT when one is corrupt and the other absent', ['CORRUPT', 'ABSENT'], 'CORRUPT'],
    ['UNAVAILABLE when one could not be asked, whatever the other says', ['UNAVAILABLE', 'ABSENT'], 'UNAVAILABLE'],
    ['UNAVAILABLE also when the other is corrupt', ['CORRUPT', 'UNAVAILABLE'], 'UNAVAILABLE'],
    ['FULL or the like is no answer to a read: UNAVAILABLE', ['FULL', 'ABSENT'], 'UNAVAILABLE'],
  ] as const)('adds faults up: %s', async (_, codes, verdict) => {
    const { set, of } = await lab(2, 2);
    for (const [at, code] of codes.entries()) of(at + 1).fail({ methods: ['get'], keys: (text) => text === key, code });
    await expect(set.read(key, undefined, keep)).rejects.toMatchObject({ code: verdict });
  });

  it('stops at once on WRONG_KEY: it is nobody’s fault, and no other replica would help', async () => {
    const { set, faulty } = await lab(3, 3);
    await set.putQuorum(key, body);
    const faults: string[] = [];
    const before = faulty.flatMap(({ calls }) => calls).length;
    const wrongKey = () => {
      throw new ArchiveError('WRONG_KEY', 'another key');
    };
    const read = set.read(key, undefined, wrongKey, { onFault: (replica) => void faults.push(replica) });
    await expect(read).rejects.toMatchObject({ code: 'WRONG_KEY' });
    expect(faults).toEqual([]);
    expect(faulty.flatMap(({ calls }) => calls).length - before).toBe(1);
  });

  it('hedges a read that hangs, and prefers the one that answers from then on', async () => {
    const { set, of } = await lab(2, 2);
    await set.putQuorum(key, body);
    for (let at = 0; at < 10; at += 1) await set.read(key, { start: 0, end: 100 }, keep);
    const slow = of(1).calls.length >= of(2).calls.length ? 1 : 2;
    of(slow).fail({ methods: ['get'], hang: true });
    const first = await timed(set.read(key, { start: 0, end: 100 }, keep));
    expect(first.ms).toBeLessThan(1_000);
    const calls = of(slow).calls.length;
    for (let at = 0; at < 50; at += 1) await set.read(key, { start: 0, end: 100 }, keep);
    // A pause of the machine may hedge a read or two to it.
    expect(of(slow).calls.length - calls).toBeLessThan(5);
  });

  it('tries an avoided replica last, not never', async () => {
    const { set, of } = await lab(2, 2);
    await set.putQuorum(key, body);
    const avoid = new Set([name(1)]);
    const before = of(1).calls.length;
    for (let at = 0; at < 5; at += 1) await set.read(key, undefined, keep, { avoid });
    expect(of(1).calls.length).toBe(before);
    of(2).fail({ code: 'UNAVAILABLE' });
    expect(equal(await set.read(key, undefined, keep, { avoid }), body)).toBe(true);
  });

  it('opens the breaker on failures, then asks that replica no more for a while; never on absent', async () => {
    const { set, of } = await lab(2, 2);
    await set.putQuorum(key, body);
    of(1).fail({ code: 'UNAVAILABLE' });
    const one = set.store(name(1));
    for (let at = 0; at < 3; at += 1) await expect(one.get(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const calls = of(1).calls.length;
    for (let at = 0; at < 20; at += 1) await expect(one.get(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(of(1).calls.length).toBe(calls);
    expect(stateOf(set, 1)).toMatchObject({ state: 'unavailable', detail: expect.stringContaining('injected') });
    const two = set.store(name(2));
    for (let at = 0; at < 20; at += 1) {
      await expect(two.head(parseObjectKey('no/such'))).rejects.toMatchObject({ code: 'ABSENT' });
    }
    expect(stateOf(set, 2)).toMatchObject({ state: 'available' });
  });

  it('is ABORTED by its signal while every replica hangs', async () => {
    const { set, faulty } = await lab(2, 2);
    for (const store of faulty) store.fail({ methods: ['get'], hang: true });
    const read = timed(
      set.read(key, undefined, keep, { signal: AbortSignal.timeout(30) }).catch((error: unknown) => error),
    );
    const { value, ms } = await read;
    expect(value).toMatchObject({ code: 'ABORTED' });
    expect(ms).toBeLessThan(500);
    expect(set.state().map(({ state }) => state)).toEqual(['available', 'available']);
  });
});

describe('putQuorum', () => {
  it('says of every replica what became of it', async () => {
    const { set, of } = await lab(3, 2);
    of(3).fail({ methods: ['put'], code: 'FULL' });
    const results = await set.putQuorum(key, body);
    expect(results.get(name(1))).toBe('stored');
    expect(results.get(name(2))).toBe('stored');
    expect(results.get(name(3))).toMatchObject({ code: 'FULL' });
    expect(equal(await of(1).get(key), body)).toBe(true);
    expect(equal(await of(2).get(key), body)).toBe(true);
  });

  it('waits for a slow replica within its own measure, and does not wait for one that hangs', async () => {
    const { set, of } = await lab(3, 2);
    for (let at = 0; at < 5; at += 1) await set.putQuorum(key, body);
    of(3).fail({ methods: ['put'], delayMs: 150 });
    const slow = await timed(set.putQuorum(key, body));
    expect(slow.value.get(name(3))).toBe('stored');
    of(3).fail({ methods: ['put'], hang: true });
    const hung = await timed(set.putQuorum(key, body));
    expect(hung.value.get(name(3))).toMatchObject({ code: 'UNAVAILABLE' });
    expect(hung.ms).toBeGreaterThan(400);
    expect(hung.ms).toBeLessThan(3_000);
  });

  it('opens the breaker of a replica that hangs, so that writes stop waiting for it', async () => {
    const { set, of } = await lab(3, 2);
    for (let at = 0; at < 5; at += 1) await set.putQuorum(key, body);
    of(3).fail({ methods: ['put'], hang: true });
    for (let at = 0; at < 3; at += 1) await set.putQuorum(key, body);
    const after = await timed(set.putQuorum(key, body));
    expect(after.ms).toBeLessThan(400);
    expect(stateOf(set, 3)).toMatchObject({ state: 'unavailable', detail: expect.stringContaining('behind') });
  });

  it('rejects with UNAVAILABLE when fewer than the quorum stored it, and with FULL when all are full', async () => {
    const { set, of } = await lab(3, 2);
    of(1).fail({ methods: ['put'], code: 'UNAVAILABLE' });
    of(2).fail({ methods: ['put'], code: 'FULL' });
    await expect(set.putQuorum(key, body)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    of(1).fail({ methods: ['put'], code: 'FULL' });
    of(3).fail({ methods: ['put'], code: 'FULL' });
    await expect(set.putQuorum(key, body)).rejects.toMatchObject({ code: 'FULL' });
  });

  it('is ABORTED by its signal before the quorum', async () => {
    const { set, faulty } = await lab(2, 2);
    for (const store of faulty) store.fail({ methods: ['put'], hang: true });
    await expect(set.putQuorum(key, body, { signal: AbortSignal.timeout(30) })).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });
});

describe('the merged listing', () => {
  it('has every object once when W copies of each exist somewhere, and is refused when that is not sure', async () => {
    const { set, of } = await lab(3, 2);
    const keys = Array.from({ length: 30 }, (_, at) => parseObjectKey(`c/${String(at).padStart(2, '0')}/x`));
    for (const [at, one] of keys.entries()) {
      for (const number of [1, 2, 3]) if (at % 3 !== number - 1) await of(number).put(one, body);
    }
    const listed = async () => {
      const found: string[] = [];
      for await (const entry of set.asObjectStore().list('c/')) found.push(entry.key);
      return found;
    };
    expect(await listed()).toEqual(keys);
    of(2).fail({ methods: ['list'], keys: (text) => text > 'c/15', code: 'UNAVAILABLE' });
    expect(await listed()).toEqual(keys);
    of(3).fail({ methods: ['list'], code: 'UNAVAILABLE' });
    await expect(listed()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

it('refuses settings that cannot be', () => {
  const store = new MemoryObjectStore();
  const two = [1, 2].map((number) => ({ name: name(number), store }));
  for (const [replicas, writeQuorum] of [
    [[], 1],
    [two, 0],
    [two, 3],
    [two, 1.5],
    [[...two, ...two], 2],
  ] as const) {
    expect(() => new ReplicaSet(replicas, { writeQuorum, ...given })).toThrow(
      expect.objectContaining({ code: 'INVALID' }),
    );
  }
});
