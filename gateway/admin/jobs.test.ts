import { describe, expect, it } from 'vitest';
import { systemClock } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { JobRegistry, type JobReport, type JobView } from './jobs.js';

const LIMITS = { runningMax: 1, waitingMax: 2, keptMax: 2 };
const idle = new ArchiveError('INTERNAL', 'never');

/** A job that ends when told to. */
function held(): {
  work: (o: { signal?: AbortSignal | undefined }) => Promise<JobReport>;
  end: (r: JobReport) => void;
} {
  let end: (report: JobReport) => void = () => {
    throw idle;
  };
  const report = new Promise<JobReport>((resolve) => {
    end = resolve;
  });
  return {
    end: (value) => end(value),
    work: ({ signal }) =>
      Promise.race([
        report,
        new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
      ]),
  };
}

function finished(registry: JobRegistry, id: string): Promise<JobView> {
  return new Promise((resolve) => {
    const look = (view: JobView) => {
      if (view.finishedAt !== null) resolve(view);
    };
    registry.subscribe(id, look);
    look(registry.get(id));
  });
}

describe('JobRegistry', () => {
  it.each([
    ['done', { packs: 3, failures: [] }],
    ['partly', { packs: 3, failures: [{ item: 'x', code: 'UNAVAILABLE', detail: 'd' }] }],
    ['failed', { packs: 0, failures: [{ item: 'x', code: 'UNAVAILABLE', detail: 'd' }] }],
    ['partly', { objects: 9, unavailable: ['r2'] }],
    ['failed', { objects: 0, unavailable: ['r1', 'r2'] }],
    ['done', { objects: 9, unavailable: [] }],
  ] as const)('is %s for the report %j', async (state, report) => {
    const registry = new JobRegistry(systemClock);
    const job = registry.submit('repair', () => Promise.resolve(report));
    expect(await finished(registry, job.id)).toMatchObject({ state, report, error: null });
  });

  it('tells what an archive error said, and nothing of any other error', async () => {
    const registry = new JobRegistry(systemClock);
    const known = registry.submit('scrub', () => Promise.reject(new ArchiveError('LOCKED', 'held elsewhere')));
    const unknown = registry.submit('scrub', () => Promise.reject(new Error('Doe^John')));
    expect((await finished(registry, known.id)).error).toEqual({ code: 'LOCKED', detail: 'held elsewhere' });
    expect((await finished(registry, unknown.id)).error).toEqual({
      code: 'INTERNAL',
      detail: 'an error inside Filmroom; its log says more',
    });
  });

  it('runs so many at once, lets so many wait and refuses the next', async () => {
    const registry = new JobRegistry(systemClock, LIMITS);
    const first = held();
    const one = registry.submit('migrate', first.work);
    const two = registry.submit('recall', () => Promise.resolve({}));
    registry.submit('recall', () => Promise.resolve({}));
    expect([one.state, two.state]).toEqual(['running', 'queued']);
    expect(() => registry.submit('recall', () => Promise.resolve({}))).toThrow(/2 jobs are waiting/);
    first.end({});
    expect((await finished(registry, two.id)).state).toBe('done');
  });

  it('cancels a running job by its signal, and a waiting one before it starts', async () => {
    const registry = new JobRegistry(systemClock, LIMITS);
    const running = registry.submit('migrate', held().work);
    let started = false;
    const waiting = registry.submit('migrate', () => {
      started = true;
      return Promise.resolve({});
    });
    expect(registry.cancel(waiting.id).state).toBe('cancelled');
    registry.cancel(running.id);
    expect((await finished(registry, running.id)).state).toBe('cancelled');
    expect(started).toBe(false);
  });

  it('leaves a finished job as it is when it is cancelled', async () => {
    const registry = new JobRegistry(systemClock);
    const job = registry.submit('scrub', () => Promise.resolve({}));
    await finished(registry, job.id);
    expect(registry.cancel(job.id).state).toBe('done');
  });

  it('reports progress until the end', async () => {
    const registry = new JobRegistry(systemClock);
    const gate = held();
    const progress = { step: 'seal', packsDone: 1, packsTotal: 2, bytesDone: 10, bytesTotal: 20 };
    const job = registry.submit('migrate', (options) => {
      options.onProgress?.(progress);
      return gate.work(options);
    });
    await Promise.resolve();
    expect(registry.get(job.id).progress).toEqual(progress);
    gate.end({});
    await finished(registry, job.id);
  });

  it('forgets the oldest finished jobs', async () => {
    const registry = new JobRegistry(systemClock, LIMITS);
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      const job = registry.submit('scrub', () => Promise.resolve({}));
      ids.push(job.id);
      await finished(registry, job.id);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(registry.list().map((job) => job.id)).toEqual([ids[3], ids[2]]);
    expect(() => registry.get(ids[0] ?? '')).toThrow(/no such job/);
  });

  it('closes by cancelling what runs and waiting for it', async () => {
    const registry = new JobRegistry(systemClock, LIMITS);
    const job = registry.submit('migrate', held().work);
    registry.submit('migrate', held().work);
    await registry.close();
    expect(registry.get(job.id).state).toBe('cancelled');
    expect(registry.list().every((one) => one.state === 'cancelled')).toBe(true);
  });
});
