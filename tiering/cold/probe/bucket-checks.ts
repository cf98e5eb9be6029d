// What buckets get wrong: pages, signatures that nobody looks at, clocks, conditions that are ignored.
import { ArchiveError, hasCode } from '../../core/errors.js';
import type { ObjectStore } from '../object-store.js';
import { sha256Of } from './contract-checks.js';
import type { BucketProbe, CheckLevel, ProbeContext } from './findings.js';

/** Signatures are refused beyond this (AWS: 15 minutes; RADOS Gateway the same). */
const SKEW_MS_MAX = 15 * 60_000;
const SKEW_MS_WARN = 60_000;
const RIVALS = 4;

export async function bucketChecks(context: ProbeContext, bucket: BucketProbe): Promise<void> {
  const { findings } = context;
  await findings.check('list over several pages', () => pages(context, bucket));
  await findings.check('refuse a wrong secret', () => wrongSecret(context, bucket));
  await findings.check('refuse a reader without a signature', async () => {
    const { status } = await bucket.unsigned(context.key('a'));
    return status >= 200 && status < 300
      ? ['warning', 'anybody may read this bucket; objects are sealed, and still nobody else has any business there']
      : undefined;
  });
  await findings.check('conditional put', () => conditionalPut(context, bucket));
  await findings.check('clock', () => clock(context, bucket));
  await findings.check('versions', async () => {
    const { versioning, objectLock } = await bucket.facts();
    if (bucket.mustLock && !objectLock.startsWith('on')) {
      return [
        'failed',
        `object lock ${objectLock}, and the configuration asks for it: it can only be had when a bucket is made`,
      ];
    }
    return ['shown', `versioning ${versioning}, object lock ${objectLock}`];
  });
}

type Verdict = Promise<readonly [CheckLevel, string] | undefined>;

async function pages({ prefix, store }: ProbeContext, { paged }: BucketProbe): Verdict {
  const inPages: string[] = [];
  for await (const { key } of paged.list(prefix)) inPages.push(key);
  const atOnce: string[] = [];
  for await (const { key } of store.list(prefix)) atOnce.push(key);
  return inPages.join() === atOnce.join() && atOnce.length > 2
    ? undefined
    : ['failed', `${inPages.length} objects in small pages, ${atOnce.length} in one`];
}

/** There are servers that look only at the access key. */
async function wrongSecret({ key, random }: ProbeContext, bucket: BucketProbe): Verdict {
  const stranger: ObjectStore = await bucket.withWrongSecret();
  const tries: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['read', () => stranger.get(key('a'))],
    ['written', () => stranger.put(key('stranger'), random.bytes(100))],
    ['deleted', () => stranger.delete(key('stranger'))],
  ];
  try {
    for (const [what, run] of tries) {
      try {
        await run();
        return ['failed', `an object was ${what} with a wrong secret: whoever reaches this server owns the bucket`];
      } catch (error) {
        // A server that is away has refused nothing.
        if (!hasCode(error, 'UNAVAILABLE') || !isRefusal(error)) throw error;
      }
    }
    return undefined;
  } finally {
    await stranger.close();
  }
}

function isRefusal(error: unknown): boolean {
  const cause = error instanceof ArchiveError ? error.cause : undefined;
  if (typeof cause !== 'object' || cause === null || !('$metadata' in cause)) return false;
  const { httpStatusCode } = cause.$metadata as { readonly httpStatusCode?: number };
  return httpStatusCode === 403 || httpStatusCode === 401;
}

/** Several write one key at the same moment: exactly one may have been first. */
async function conditionalPut({ key, store, random }: ProbeContext, { conditional }: BucketProbe): Verdict {
  const counted = store.capabilities.conditionalPut;
  const bodies = Array.from({ length: RIVALS }, () => random.bytes(1000));
  const results = await Promise.allSettled(
    bodies.map((body) => conditional.put(key('first'), body, { ifAbsent: true, sha256: sha256Of(body) })),
  );
  const winners = bodies.filter((_, at) => results[at]?.status === 'fulfilled');
  const odd = results.find((one) => one.status === 'rejected' && !hasCode(one.reason, 'CONFLICT', 'NOT_SUPPORTED'));
  if (odd?.status === 'rejected') throw odd.reason;
  const [winner] = winners;
  const honoured =
    winners.length === 1 && winner !== undefined && Buffer.compare(await store.get(key('first')), winner) === 0;
  if (honoured) return counted ? undefined : ['ok', 'honoured; the provider that is configured does not count on it'];
  return counted
    ? [
        'warning',
        `${winners.length} of ${RIVALS} were first: set provider: generic (nothing but making a replica asks for it)`,
      ]
    : ['lacking', `${winners.length} of ${RIVALS} were first; it is never relied on`];
}

async function clock({ key, clock: own }: ProbeContext, bucket: BucketProbe): Verdict {
  const before = own.nowMs();
  const { date } = await bucket.unsigned(key('a'));
  const after = own.nowMs();
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return ['warning', 'its answers say no time (Date), so that it cannot be compared'];
  // Date is cut to the second, and was written at some moment in between.
  const skewMs = theirs + 500 - (before + after) / 2;
  const margin = 500 + (after - before) / 2;
  const off = Math.max(0, Math.abs(skewMs) - margin);
  const said = `its clock is ${off === 0 ? 'the same as ours to the second' : `${Math.round(off / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} ours`}`;
  if (off >= SKEW_MS_MAX)
    return ['failed', `${said}; signatures are refused beyond 15 minutes: set the time, best by NTP`];
  return off >= SKEW_MS_WARN ? ['warning', `${said}; set the time, best by NTP`] : ['ok', said];
}
