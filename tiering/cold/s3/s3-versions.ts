// What a bucket with versions keeps beside the newest: earlier versions of objects and the markers of deletes.
import type { ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3';
import { ArchiveError } from '../../core/errors.js';
import { OBJECT_BYTES_MAX } from '../limits.js';
import type { ObjectVersion } from '../object-store.js';
import type { S3Connection } from './s3-connection.js';

/** Every version of every object of ours below `prefix`, keys ascending; those of one key one after another. */
export async function* listVersions(
  connection: S3Connection,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectVersion, void, void> {
  let marker: { readonly key: string; readonly version: string | undefined } | undefined;
  for (;;) {
    const page = await fetchPage(connection, prefix, marker, signal);
    if (page.IsTruncated === undefined) {
      throw new ArchiveError('CORRUPT', `versions of ${prefix} at ${connection.place}: the answer is not a listing`);
    }
    const versions = [
      ...(page.Versions ?? []).map((one) => ({ ...one, deleteMarker: false })),
      ...(page.DeleteMarkers ?? []).map((one) => ({ ...one, deleteMarker: true })),
    ].flatMap((one) => {
      const key = connection.keyIn(one.Key ?? '');
      if (key === undefined || one.VersionId === undefined) return [];
      const { VersionId: versionId, IsLatest: newest = false, deleteMarker } = one;
      return [{ key, versionId, newest, deleteMarker, modifiedMs: one.LastModified?.getTime() ?? 0 }];
    });
    yield* versions.sort(
      (a, b) => compare(a.key, b.key) || Number(b.newest) - Number(a.newest) || b.modifiedMs - a.modifiedMs,
    );
    if (!page.IsTruncated) return;
    const { NextKeyMarker: key, NextVersionIdMarker: version } = page;
    if (key === undefined || (key === marker?.key && version === marker.version)) {
      throw new ArchiveError('CORRUPT', `versions of ${prefix} at ${connection.place}: the pages do not go on`);
    }
    marker = { key, version };
  }
}

/** The bytes of one version. */
export function getVersion(
  connection: S3Connection,
  { key, versionId }: Pick<ObjectVersion, 'key' | 'versionId'>,
  outer: AbortSignal | undefined,
): Promise<Uint8Array> {
  return connection.run(`get a version of ${key}`, { signal: outer }, async ({ sdk, client, signal }) => {
    const command = new sdk.GetObjectCommand({
      Bucket: connection.bucket,
      Key: connection.keyOf(key),
      VersionId: versionId,
    });
    const { Body, ContentLength } = await client.send(command, { abortSignal: signal });
    if (Body === undefined || ContentLength === undefined || ContentLength > OBJECT_BYTES_MAX) {
      throw new ArchiveError(
        'CORRUPT',
        `get a version of ${key}: the answer states no length, or one beyond any object`,
      );
    }
    const bytes = await Body.transformToByteArray();
    if (bytes.byteLength === ContentLength) return bytes;
    throw new ArchiveError('CORRUPT', `get a version of ${key}: ${bytes.byteLength} of ${ContentLength} bytes came`);
  });
}

/** Removes one version for good. Rejects where the key may not, or a lock forbids it. */
export async function deleteVersion(
  connection: S3Connection,
  { key, versionId }: Pick<ObjectVersion, 'key' | 'versionId'>,
  outer: AbortSignal | undefined,
): Promise<void> {
  await connection.run(`delete a version of ${key}`, { signal: outer, bytes: 0 }, ({ sdk, client, signal }) =>
    client.send(
      new sdk.DeleteObjectCommand({ Bucket: connection.bucket, Key: connection.keyOf(key), VersionId: versionId }),
      { abortSignal: signal },
    ),
  );
}

function fetchPage(
  connection: S3Connection,
  prefix: string,
  marker: { readonly key: string; readonly version: string | undefined } | undefined,
  outer: AbortSignal | undefined,
): Promise<ListObjectVersionsCommandOutput> {
  return connection.run(`versions of ${prefix}`, { signal: outer, bytes: 0 }, ({ sdk, client, signal }) =>
    client.send(
      new sdk.ListObjectVersionsCommand({
        Bucket: connection.bucket,
        Prefix: connection.prefix + prefix,
        MaxKeys: connection.listPageKeys,
        EncodingType: 'url',
        ...(marker === undefined ? {} : { KeyMarker: marker.key, VersionIdMarker: marker.version }),
      }),
      { abortSignal: signal },
    ),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
