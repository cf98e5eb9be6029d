// Whether a store is fit to hold a replica: every rule that the archive leans on is tried against the store itself, with objects of
// the probe's own, and what it offers beyond them is found out rather than believed.
import type { Clock, Random } from '../../core/clock.js';
import { hasCode } from '../../core/errors.js';
import { type ObjectKey, parseObjectKey } from '../../core/ids.js';
import type { ObjectStore } from '../object-store.js';
import { bucketChecks } from './bucket-checks.js';
import { contractChecks } from './contract-checks.js';
import { type BucketProbe, type Check, Findings, type ProbeContext } from './findings.js';
import { measureSpeed, type Speed } from './speed.js';

export interface ProbeReport {
  /** Nothing failed. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** Null where an 8 MiB object could not be written and read. */
  readonly speed: Speed | null;
}

/** Tries everything and removes what it wrote, as far as it may. Never rejects for the store. Closes neither store nor bucket. */
export async function probeStore(
  store: ObjectStore,
  bucket: BucketProbe | null,
  environment: { readonly clock: Clock; readonly random: Random },
): Promise<ProbeReport> {
  const prefix = `probe-${Buffer.from(environment.random.bytes(8)).toString('hex')}/`;
  const findings = new Findings();
  const key = (name: string) => parseObjectKey(prefix + name);
  const context: ProbeContext = { store, bucket, ...environment, findings, prefix, key };
  let speed: Speed | null = null;
  try {
    // With nothing written there is nothing to find out.
    if (await contractChecks(context)) {
      if (bucket !== null) await bucketChecks(context, bucket);
      await findings.check('objects of 8 MiB', async () => {
        speed = await measureSpeed(context);
        return undefined;
      });
    }
  } finally {
    await cleanUp(context);
  }
  const { checks } = findings;
  return { ok: checks.every(({ ok }) => ok), checks, speed };
}

/** Deleting is tried on what is left to delete: every object of the probe. */
async function cleanUp({ store, bucket, findings, prefix }: ProbeContext): Promise<void> {
  const removed = await findings.check('delete', async () => {
    const keys: ObjectKey[] = [];
    for await (const entry of store.list(prefix)) keys.push(entry.key);
    try {
      for (const key of keys) await store.delete(key);
    } catch (error) {
      if (!hasCode(error, 'FORBIDDEN')) throw error;
      return [
        'lacking',
        `this access key may not delete: what is deleted or replaced stays, and so do ${keys.length} objects below ${prefix}`,
      ];
    }
    for await (const entry of store.list(prefix)) return ['failed', `${entry.key} is still listed after its delete`];
    return undefined;
  });
  if (bucket === null || !removed) return;
  const left = await bucket.purge(prefix).catch(() => 0);
  if (left > 0) {
    findings.add(
      'leave nothing',
      'warning',
      `${left} old versions below ${prefix} stay: this key may not remove them, or a lock holds them`,
    );
  }
}
