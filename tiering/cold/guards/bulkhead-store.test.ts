// The bulkhead: the contract through it, and what it does when the store behind it hangs.
import { describe, expect, it } from 'vitest';
import { describeObjectStore } from '../../../test/contract/object-store.js';
import { bytesOf } from '../../../test/support/bytes.js';
import { FaultyObjectStore } from '../../../test/support/faulty-object-store.js';
import { parseObjectKey } from '../../core/ids.js';
import { MemoryObjectStore } from '../memory/memory-object-store.js';
import type { ObjectStore } from '../object-store.js';
import { BulkheadStore } from './bulkhead-store.js';

const key = parseObjectKey('a/b');

/** Hangs as a system call does: no signal ends it. */
class DeafStore extends FaultyObjectStore implements ObjectStore {
  running = 0;
  most = 0;
  override async get(): Promise<Uint8Array> {
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    try {
      return await super.get(key);
    } finally {
      this.running -= 1;
    }
  }
}

function hanging(callsMax: number, callMs: number) {
  const deaf = new DeafStore(new MemoryObjectStore());
  return { deaf, store: new BulkheadStore(deaf, { name: 'disk', callsMax, waitersMax: 10, callMs }) };
}

describeObjectStore('bulkhead over memory', async () => ({
  store: new BulkheadStore(new MemoryObjectStore(), { name: 'm', callsMax: 4, waitersMax: 64, callMs: 10_000 }),
  dispose: async () => undefined,
}));

describe('BulkheadStore', () => {
  it('never runs more calls than its cap, and lets the others wait their turn', async () => {
    const { deaf, store } = hanging(3, 5_000);
    await store.put(key, bytesOf(10));
    deaf.fail({ delayMs: 20 });
    await Promise.all(Array.from({ length: 9 }, () => store.get(key)));
    expect(deaf.most).toBe(3);
  });

  it('answers UNAVAILABLE at the deadline, and at once when its cap is taken by calls that hang', async () => {
    const { deaf, store } = hanging(2, 60);
    await store.put(key, bytesOf(10));
    deaf.fail({ hang: true });
    const first = await Promise.allSettled([store.get(key), store.get(key)]);
    expect(first.map((result) => result.status === 'rejected' && result.reason.code)).toEqual([
      'UNAVAILABLE',
      'UNAVAILABLE',
    ]);
    const calls = deaf.calls.length;
    const began = performance.now();
    await expect(store.get(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - began).toBeLessThan(40);
    expect(deaf.calls.length, 'no further call reached the store').toBe(calls);
    deaf.heal();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await store.get(key)).byteLength).toBe(10);
  });

  it('lets a caller go at once when its signal fires, though the call hangs', async () => {
    const { deaf, store } = hanging(2, 5_000);
    deaf.fail({ hang: true });
    const controller = new AbortController();
    const read = store.get(key, undefined, controller.signal);
    setTimeout(() => controller.abort(), 10);
    const began = performance.now();
    await expect(read).rejects.toMatchObject({ code: 'ABORTED' });
    expect(performance.now() - began).toBeLessThan(200);
    deaf.heal();
  });
});
