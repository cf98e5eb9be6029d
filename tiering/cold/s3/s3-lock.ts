// Object lock: until a date nobody may remove a version, in mode COMPLIANCE not even the owner of the bucket. Every object is locked
// when it is put, and again before that runs out for as long as it is wanted.
import { createHash } from 'node:crypto';
import type { ObjectKey } from '../../core/ids.js';
import type { ObjectLock, S3Connection } from './s3-connection.js';

const DAY_MS = 24 * 3600 * 1000;

/** What a PUT says. S3 takes a lock only with a checksum of the body beside the signature. */
export function lockOf({ mode, days }: ObjectLock, nowMs: number, body: Uint8Array) {
  return {
    ObjectLockMode: mode,
    ObjectLockRetainUntilDate: new Date(nowMs + days * DAY_MS),
    ContentMD5: createHash('md5').update(body).digest('base64'),
  };
}

/** Locks it for the whole term again once less than half of that is left. Resolves with whether it was. */
export function renewLock(
  connection: S3Connection,
  { mode, days }: ObjectLock,
  key: ObjectKey,
  outer: AbortSignal | undefined,
): Promise<boolean> {
  const object = { Bucket: connection.bucket, Key: connection.keyOf(key) };
  return connection.run(`lock ${key}`, { signal: outer, bytes: 0 }, async ({ sdk, client, signal }) => {
    const { ObjectLockRetainUntilDate: until } = await client.send(new sdk.HeadObjectCommand(object), {
      abortSignal: signal,
    });
    const leftMs = (until?.getTime() ?? 0) - connection.nowMs();
    if (leftMs >= (days * DAY_MS) / 2) return false;
    const RetainUntilDate = new Date(connection.nowMs() + days * DAY_MS);
    await client.send(new sdk.PutObjectRetentionCommand({ ...object, Retention: { Mode: mode, RetainUntilDate } }), {
      abortSignal: signal,
    });
    return true;
  });
}
