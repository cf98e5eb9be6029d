// How fast a store is for what it will be asked: chunks up and down, three at once as the movers send them, and small ranges one by one.
import { ArchiveError } from '../../core/errors.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { forEachLimited } from '../../core/queues.js';
import { sha256Of } from './contract-checks.js';
import type { ProbeContext } from './findings.js';

const OBJECTS = 6;
const AT_ONCE = 3;
const SMALL_READS = 11;
const SMALL_BYTES = 64 * 1024;

export interface Speed {
  readonly objects: number;
  readonly objectBytes: number;
  readonly uploadBytesPerSecond: number;
  readonly downloadBytesPerSecond: number;
  /** Of a range of 64 KiB: the median and the worst of a few. */
  readonly latencyMs: { readonly median: number; readonly worst: number };
}

/** Rejects with what the store throws, and with CORRUPT for bytes that are not those that were written. */
export async function measureSpeed({ store, clock, random, key }: ProbeContext): Promise<Speed> {
  const body = random.bytes(CHUNK_BYTES);
  const sha256 = sha256Of(body);
  const keys = Array.from({ length: OBJECTS }, (_, n) => key(`speed-${n}`));
  const timed = async (work: () => Promise<void>) => {
    const began = clock.monotonicMs();
    await work();
    return Math.max(clock.monotonicMs() - began, 0.001);
  };
  const rate = (ms: number) => Math.round((OBJECTS * CHUNK_BYTES * 1000) / ms);
  const upMs = await timed(() => forEachLimited(keys, AT_ONCE, (one) => store.put(one, body, { sha256 })));
  let equal = true;
  const downMs = await timed(() =>
    forEachLimited(keys, AT_ONCE, async (one) => {
      const bytes = await store.get(one);
      equal &&= Buffer.compare(bytes, body) === 0;
    }),
  );
  if (!equal) throw new ArchiveError('CORRUPT', 'an object did not come back as it was written');
  const [first = key('speed-0')] = keys;
  const reads: number[] = [];
  for (let n = 0; n < SMALL_READS; n += 1) {
    const start = n * SMALL_BYTES;
    reads.push(await timed(async () => void (await store.get(first, { start, end: start + SMALL_BYTES }))));
  }
  reads.sort((a, b) => a - b);
  const rounded = (ms: number | undefined) => Math.round((ms ?? 0) * 10) / 10;
  return {
    objects: OBJECTS,
    objectBytes: CHUNK_BYTES,
    uploadBytesPerSecond: rate(upMs),
    downloadBytesPerSecond: rate(downMs),
    latencyMs: { median: rounded(reads[SMALL_READS >> 1]), worst: rounded(reads.at(-1)) },
  };
}
