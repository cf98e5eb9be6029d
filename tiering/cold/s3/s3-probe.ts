// What only a bucket can be asked: its time, who else may read it, whether it keeps versions. For the probe of a replica.
import { hasCode } from '../../core/errors.js';
import type { ObjectKey } from '../../core/ids.js';
import type { ObjectStore } from '../object-store.js';
import type { BucketFacts, BucketProbe } from '../probe/findings.js';
import { S3Connection, type S3StoreOptions } from './s3-connection.js';
import { S3ObjectStore } from './s3-object-store.js';
import { deleteVersion, listVersions } from './s3-versions.js';

/** Keys in a page where paging is tried. */
const FEW_KEYS = 2;

class S3BucketProbe implements BucketProbe {
  readonly paged: ObjectStore;
  readonly conditional: ObjectStore;
  readonly #options: S3StoreOptions;
  readonly #connection: S3Connection;

  readonly mustLock: boolean;

  constructor(options: S3StoreOptions, connection: S3Connection, mustLock: boolean) {
    this.mustLock = mustLock;
    this.#options = options;
    this.#connection = connection;
    this.paged = open({ ...options, listPageKeys: FEW_KEYS });
    this.conditional = open({ ...options, assume: { conditionalPut: true } });
  }

  async withWrongSecret(): Promise<ObjectStore> {
    const known = await this.#connection.run('credentials', { bytes: 0 }, ({ client }) => client.config.credentials());
    const { accessKeyId, secretAccessKey, sessionToken } = known;
    const last = secretAccessKey.endsWith('A') ? 'B' : 'A';
    return open({
      ...this.#options,
      accessKeyId,
      secretAccessKey: secretAccessKey.slice(0, -1) + last,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    });
  }

  unsigned(key: ObjectKey): Promise<{ readonly status: number; readonly date: string | null }> {
    return this.#connection.run(`get ${key} unsigned`, { bytes: 0 }, ({ gets, signal }) =>
      gets.unsigned(this.#connection.keyOf(key), signal),
    );
  }

  async facts(): Promise<BucketFacts> {
    const Bucket = this.#connection.bucket;
    const ask = <T>(what: string, work: (call: Parameters<Parameters<S3Connection['run']>[2]>[0]) => Promise<T>) =>
      this.#connection.run(what, { bytes: 0 }, work).catch((error: unknown) => {
        if (hasCode(error, 'ABORTED')) throw error;
        return null;
      });
    const versioning = await ask('versioning', async ({ sdk, client, signal }) => {
      const answer = await client.send(new sdk.GetBucketVersioningCommand({ Bucket }), { abortSignal: signal });
      return answer.Status === 'Enabled' ? 'on' : answer.Status === 'Suspended' ? 'suspended' : 'off';
    });
    const lock = await ask('object lock', async ({ sdk, client, signal }) => {
      try {
        const answer = await client.send(new sdk.GetObjectLockConfigurationCommand({ Bucket }), {
          abortSignal: signal,
        });
        const rule = answer.ObjectLockConfiguration?.Rule?.DefaultRetention;
        const term = rule?.Days === undefined ? `${rule?.Years} years` : `${rule.Days} days`;
        return rule?.Mode === undefined ? 'on, no default' : `on, default ${rule.Mode} ${term}`;
      } catch (error) {
        // The one answer that says that there is none.
        if (
          error instanceof Error &&
          /^(ObjectLockConfigurationNotFoundError|NoSuchObjectLockConfiguration)$/.test(error.name)
        )
          return 'off';
        throw error;
      }
    });
    return { versioning: versioning ?? 'unknown', objectLock: lock ?? 'unknown' };
  }

  async purge(prefix: string): Promise<number> {
    let left = 0;
    for await (const version of listVersions(this.#connection, prefix, undefined)) {
      await deleteVersion(this.#connection, version, undefined).catch(() => {
        left += 1;
      });
    }
    return left;
  }

  async close(): Promise<void> {
    await Promise.all([this.#connection.close(), this.paged.close(), this.conditional.close()]);
  }
}

function open(options: S3StoreOptions): ObjectStore {
  return new S3ObjectStore(new S3Connection(options));
}

/** A bucket for `probeStore`. INVALID for options that cannot be meant. */
export function createBucketProbe(options: S3StoreOptions, mustLock: boolean): BucketProbe {
  return new S3BucketProbe(options, new S3Connection(options), mustLock);
}
