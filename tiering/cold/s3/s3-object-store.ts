// An object store in an S3 bucket, over @aws-sdk/client-s3. Each operation has a file of its own; this
// one checks arguments and hands on.
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey } from '../../core/ids.js';
import { type ByteRange, checkBody, checkRange } from '../checks.js';
import type { ObjectEntry, ObjectHistory, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../object-store.js';
import { S3Connection, type S3StoreOptions } from './s3-connection.js';
import { getObject } from './s3-get.js';
import { headObject } from './s3-head.js';
import { listObjects } from './s3-list.js';
import { renewLock } from './s3-lock.js';
import { putObject } from './s3-put.js';
import { getVersion, listVersions } from './s3-versions.js';

export class S3ObjectStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  readonly #connection: S3Connection;
  readonly #deleting: S3Connection;

  /** @param deleting the same bucket by another access key, which alone may delete there. */
  constructor(connection: S3Connection, deleting: S3Connection = connection) {
    this.#connection = connection;
    this.#deleting = deleting;
    this.capabilities = connection.provider.capabilities;
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    checkBody(body);
    await putObject(this.#connection, key, body, options);
  }

  async get(key: ObjectKey, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    checkRange(range);
    return getObject(this.#connection, key, range, signal);
  }

  head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    return headObject(this.#connection, key, signal);
  }

  list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterable<ObjectEntry> {
    return listObjects(this.#connection, prefix, options.after ?? '', options.signal);
  }

  readonly history: ObjectHistory = {
    versions: (prefix, signal) => listVersions(this.#connection, prefix, signal),
    get: (version, signal) => getVersion(this.#connection, version, signal),
  };

  get renew(): ObjectStore['renew'] {
    const { objectLock } = this.#connection;
    return objectLock === null ? undefined : (key, signal) => renewLock(this.#connection, objectLock, key, signal);
  }

  /** In a bucket with versions the bytes stay until a life-cycle rule removes old versions. */
  async delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    const connection = this.#deleting;
    try {
      await connection.run(`delete ${key}`, { signal, bytes: 0 }, async (call) => {
        const command = new call.sdk.DeleteObjectCommand({ Bucket: connection.bucket, Key: connection.keyOf(key) });
        try {
          await call.client.send(command, { abortSignal: call.signal });
        } catch (error) {
          // S3 answers 204 for a key that is not there; some of its likenesses do not.
          if (!(error instanceof call.sdk.NoSuchKey)) throw error;
        }
      });
    } catch (error) {
      if (!isDenied(error)) throw error;
      throw new ArchiveError('FORBIDDEN', `delete ${key} at ${connection.place}: this access key may not delete`, {
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#connection.close(), this.#deleting.close()]);
  }
}

/** A bucket as an object store. INVALID for options that cannot be meant; connects at the first call. */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  const { deleteAccessKeyId, deleteSecretAccessKey, ...rest } = options;
  const connection = new S3Connection(rest);
  if (deleteAccessKeyId === undefined || deleteSecretAccessKey === undefined) return new S3ObjectStore(connection);
  const { sessionToken: _, ...place } = rest;
  const own = { accessKeyId: deleteAccessKeyId, secretAccessKey: deleteSecretAccessKey };
  return new S3ObjectStore(connection, new S3Connection({ ...place, ...own }));
}

/** The server says that the key may not: a policy, or a lock. */
function isDenied(error: unknown): boolean {
  return error instanceof ArchiveError && error.cause instanceof Error && error.cause.name === 'AccessDenied';
}
