// The bulkhead's promises, with work that settles when the test says so.
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../core/clock.js';
import { Bulkhead } from './bulkhead.js';
import { toArchiveError } from './errno.js';

const DEADLINE_MS = 60;

describe('Bulkhead', () => {
  const made: Bulkhead[] = [];
  const bulkhead = (callsMax: number) => {
    const one = new Bulkhead({ name: 'a', clock: systemClock, callsMax, callTimeoutMs: DEADLINE_MS });
    made.push(one);
    return one;
  };
  afterEach(() => {
    for (const one of made.splice(0)) one.stopWatching();
  });
  /** Work that hangs until `release`. */
  const hung = () => {
    let release: (value: number) => void = () => {};
    const until = new Promise<number>((resolve) => {
      release = resolve;
    });
    return { work: () => until, release };
  };

  it('hands a result that came too late to whoever cleans up, and tells when the work is done', async () => {
    const one = bulkhead(1);
    const { work, release } = hung();
    const events: string[] = [];
    const call = one.run('open', work, {
      discard: (value) => void events.push(`discard ${value}`),
      done: () => void events.push('done'),
    });
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /did not answer within 60 ms/ });
    expect(events).toEqual([]);
    release(7);
    await expect.poll(() => events).toEqual(['discard 7', 'done']);
    expect(await one.run('next', async () => 8)).toBe(8);
  });

  it('runs no more than its cap at once, in order of arrival', async () => {
    const one = bulkhead(2);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        one.run('work', async () => {
          order.push(n);
          running += 1;
          most = Math.max(most, running);
          await pause(1);
          running -= 1;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it('a caller that waits is answered at the deadline, and its work never begins', async () => {
    const one = bulkhead(1);
    const { work, release } = hung();
    const first = one.run('first', work).catch(() => 'late');
    let began = false;
    let done = 0;
    const second = one.run(
      'second',
      async () => {
        began = true;
      },
      {
        done: () => {
          done += 1;
        },
      },
    );
    await expect(second).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await first).toBe('late');
    release(1);
    await one.run('third', async () => 3).catch(() => {});
    expect({ began, done }).toEqual({ began: false, done: 1 });
  });

  it('refuses at once when a call hangs and no slot is free, and when too many wait', async () => {
    const one = bulkhead(1);
    const { work, release } = hung();
    const calls = [one.run('hung', work), ...Array.from({ length: 1024 }, () => one.run('waits', async () => 0))];
    await expect(one.run('one more', async () => 0)).rejects.toMatchObject({ message: /too slow: 1024 calls wait/ });
    for (const outcome of await Promise.allSettled(calls)) expect(outcome.status).toBe('rejected');
    await expect(one.run('after', async () => 0)).rejects.toMatchObject({ message: /suspect: 1 of 1 calls hang/ });
    release(1);
  });

  it('close waits for answers, not for hung work, and refuses what comes later', async () => {
    const one = bulkhead(2);
    const { work, release } = hung();
    const call = one.run('hung', work).catch((error: unknown) => error);
    await one.close();
    expect(await call).toMatchObject({ code: 'UNAVAILABLE' });
    await expect(one.run('later', async () => 0)).rejects.toMatchObject({ message: /is closed/ });
    expect(await one.run('close', async () => 'cleaned', { cleanup: true })).toBe('cleaned');
    release(1);
  });

  it('a signal frees the place in the queue', async () => {
    const one = bulkhead(1);
    const { work, release } = hung();
    const first = one.run('first', work);
    const controller = new AbortController();
    const second = one.run('second', async () => 2, { signal: controller.signal });
    const third = one.run('third', async () => 3);
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'ABORTED' });
    release(1);
    expect(await Promise.all([first, third])).toEqual([1, 3]);
  });
});

describe('toArchiveError', () => {
  const failed = (code: string) => Object.assign(new Error(code), { code, syscall: 'read' });
  it.each([
    ['ENOSPC', 'FULL'],
    ['EDQUOT', 'FULL'],
    ['ENOENT', 'ABSENT'],
    ['EEXIST', 'CONFLICT'],
    ['EIO', 'UNAVAILABLE'],
    ['EROFS', 'UNAVAILABLE'],
    ['ESTALE', 'UNAVAILABLE'],
    ['ESOMETHINGNEW', 'UNAVAILABLE'],
    ['EBADF', 'INTERNAL'],
  ])('%s means %s', (errno, code) => {
    expect(toArchiveError(failed(errno), 'read x')).toMatchObject({ code, message: `read x: ${errno}` });
  });

  it('anything that is no system call is this program being wrong', () => {
    expect(toArchiveError(new TypeError('x'), 'read')).toMatchObject({ code: 'INTERNAL' });
  });
});
