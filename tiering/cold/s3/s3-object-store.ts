// An object store in an S3 bucket, over @aws-sdk/client-s3. Each operation has a file of its own; this
// one checks arguments and hands on.
import type { ObjectKey } from '../../core/ids.js';
import { type ByteRange, checkBody, checkRange } from '../checks.js';
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../object-store.js';
import { S3Connection, type S3StoreOptions } from './s3-connection.js';
import { getObject } from './s3-get.js';
import { headObject } from './s3-head.js';
import { listObjects } from './s3-list.js';
import { putObject } from './s3-put.js';

export class S3ObjectStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  readonly #connection: S3Connection;

  constructor(connection: S3Connection) {
    this.#connection = connection;
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

  /** In a bucket with versions the bytes stay until a life-cycle rule removes old versions. */
  async delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    await this.#connection.run(`delete ${key}`, { signal, bytes: 0 }, async (call) => {
      const command = new call.sdk.DeleteObjectCommand({
        Bucket: this.#connection.bucket,
        Key: this.#connection.keyOf(key),
      });
      try {
        await call.client.send(command, { abortSignal: call.signal });
      } catch (error) {
        // S3 answers 204 for a key that is not there; some of its likenesses do not.
        if (!(error instanceof call.sdk.NoSuchKey)) throw error;
      }
    });
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** A bucket as an object store. INVALID for options that cannot be meant; connects at the first call. */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  return new S3ObjectStore(new S3Connection(options));
}
