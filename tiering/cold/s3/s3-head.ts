// HEAD of one object. Its 404 has no body and so cannot say whether the key or the bucket is missing:
// a GET of one byte asks again where a body can answer.
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey } from '../../core/ids.js';
import type { S3Connection } from './s3-connection.js';
import { isBareNotFound } from './s3-errors.js';
import { getObject } from './s3-get.js';

/** The object's length; ABSENT only when the store named the key as missing. */
export async function headObject(
  connection: S3Connection,
  key: ObjectKey,
  outer: AbortSignal | undefined,
): Promise<{ readonly bytes: number }> {
  const bytes = await connection.run(`head ${key}`, { signal: outer, bytes: 0 }, async ({ sdk, client, signal }) => {
    const command = new sdk.HeadObjectCommand({ Bucket: connection.bucket, Key: connection.keyOf(key) });
    try {
      const { ContentLength } = await client.send(command, { abortSignal: signal });
      if (ContentLength === undefined || !Number.isSafeInteger(ContentLength) || ContentLength < 0) {
        throw new ArchiveError('CORRUPT', `head ${key}: the answer states no length`);
      }
      return ContentLength;
    } catch (error) {
      if (isBareNotFound(error)) return undefined;
      throw error;
    }
  });
  if (bytes !== undefined) return { bytes };
  await getObject(connection, key, { start: 0, end: 1 }, outer);
  throw new ArchiveError('UNAVAILABLE', `head ${key} at ${connection.place}: it answered 404, then had the object`);
}
