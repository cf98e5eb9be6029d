// ListObjectsV2 as one ordered stream, fetched page by page. Believes nothing: duplicates and foreign
// keys are skipped, a page out of order or one that leads nowhere ends the listing with CORRUPT.
import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectEntry } from '../object-store.js';
import type { S3Connection } from './s3-connection.js';

interface Place {
  readonly prefix: string;
  readonly after: string;
  readonly token: string | undefined;
}

/** Every key below `prefix` greater than `after`, ascending. */
export async function* listObjects(
  connection: S3Connection,
  prefix: string,
  after: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectEntry, void, void> {
  let last = after;
  let token: string | undefined;
  let landmark: string | undefined;
  for (let pages = 1; ; pages += 1) {
    const page = await fetchPage(connection, { prefix, after, token }, signal);
    // Every real listing says whether it goes on: an empty answer, or a web page, is not an empty bucket.
    if (page.IsTruncated === undefined) {
      throw new ArchiveError('CORRUPT', `list ${prefix} at ${connection.place}: the answer is not a listing`);
    }
    for (const object of page.Contents ?? []) {
      const key = connection.keyIn(object.Key ?? '');
      if (key === undefined || key === last || !key.startsWith(prefix)) continue;
      // Keys are ASCII by their grammar, so that the order of UTF-16 units is the order of UTF-8 bytes.
      if (key < last) throw new ArchiveError('CORRUPT', `list ${prefix} at ${connection.place}: keys are not in order`);
      last = key;
      yield { key, bytes: object.Size ?? 0 };
    }
    if (!page.IsTruncated) return;
    token = page.NextContinuationToken;
    // A circle of pages comes back to the landmark, which moves ahead at every power of two.
    if (token === undefined || token === landmark) {
      throw new ArchiveError('CORRUPT', `list ${prefix} at ${connection.place}: the pages do not go on`);
    }
    if ((pages & (pages - 1)) === 0) landmark = token;
  }
}

function fetchPage(
  connection: S3Connection,
  { prefix, after, token }: Place,
  outer: AbortSignal | undefined,
): Promise<ListObjectsV2CommandOutput> {
  return connection.run(`list ${prefix}`, { signal: outer, bytes: 0 }, ({ sdk, client, signal }) =>
    client.send(
      new sdk.ListObjectsV2Command({
        Bucket: connection.bucket,
        Prefix: connection.prefix + prefix,
        MaxKeys: connection.listPageKeys,
        // Foreign keys may hold characters that XML cannot.
        EncodingType: 'url',
        ...(after === '' || token !== undefined ? {} : { StartAfter: connection.prefix + after }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }),
      { abortSignal: signal },
    ),
  );
}
