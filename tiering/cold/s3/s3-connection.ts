// One bucket at one endpoint: the SDK client (loaded at the first call), its settings, and the loop
// that every operation runs in: a deadline per attempt, bounded retries with jitter, errors mapped once.
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { rootCertificates } from 'node:tls';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Clock, Random } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import { type ObjectKey, parseObjectKey } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { withDeadline } from '../../core/queues.js';
import { abortedError, throwIfAborted } from '../checks.js';
import * as limits from '../limits.js';
import type { ObjectStoreCapabilities } from '../object-store.js';
import { GetSockets } from './get-sockets.js';
import { type Provider, type ProviderName, providerNamed, providerOfEndpoint } from './providers.js';
import { isTransient, s3Error } from './s3-errors.js';
import { SignedGets } from './s3-signed-get.js';

export type S3Sdk = typeof import('@aws-sdk/client-s3');

export const LOCK_MODES = ['GOVERNANCE', 'COMPLIANCE'] as const;

export interface ObjectLock {
  readonly mode: (typeof LOCK_MODES)[number];
  readonly days: number;
}

export interface S3StoreOptions {
  readonly bucket: string;
  /** What all keys are put below, without slashes at its ends; empty for the bucket's root. */
  readonly prefix?: string;
  /** `http(s)://host[:port]`; absent for AWS itself. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Both or neither; without them the SDK's own chain (environment, profile, instance role). */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  /** Another access key of the same server, which deletes and does nothing else; both or neither. */
  readonly deleteAccessKeyId?: string;
  readonly deleteSecretAccessKey?: string;
  /** Everything that is put is locked for so long, in a bucket that was made with object lock. */
  readonly objectLock?: ObjectLock;
  readonly forcePathStyle?: boolean;
  /** Default: by the endpoint's host, which knows AWS alone. */
  readonly provider?: ProviderName;
  /** Takes these for granted whatever is known of the provider: for the probe, which finds out. */
  readonly assume?: Partial<ObjectStoreCapabilities>;
  /** Keys that are asked for in one page of a listing; the probe asks for few. */
  readonly listPageKeys?: number;
  /** PEM certificates to trust besides the system's. */
  readonly ca?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly attemptsMax?: number;
  readonly attemptMs?: number;
  readonly idleMs?: number;
}

export interface S3Call {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  readonly gets: SignedGets;
  /** Fires at the attempt's deadline, or when the caller gives up. */
  readonly signal: AbortSignal;
  /** 1 for the first. */
  readonly attempt: number;
}

type Loaded = Pick<S3Call, 'sdk' | 'client' | 'gets'> & { readonly sockets: GetSockets };

const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export class S3Connection {
  readonly bucket: string;
  readonly provider: Provider;
  /** For messages: bucket and endpoint. */
  readonly place: string;
  /** '' or ends in '/'. */
  readonly prefix: string;
  readonly listPageKeys: number;
  readonly objectLock: ObjectLock | null;
  readonly #options: S3StoreOptions;
  #loading: Promise<Loaded> | undefined;
  #closed = false;

  /** INVALID for options that cannot be meant. Opens no connection. */
  constructor(options: S3StoreOptions) {
    const { bucket, endpoint, prefix = '' } = options;
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
      throw new ArchiveError('INVALID', `not a bucket name: ${JSON.stringify(bucket.slice(0, 80))}`);
    }
    if (endpoint !== undefined && !/^https?:\/\/[^/]+\/?$/.test(endpoint)) {
      throw new ArchiveError(
        'INVALID',
        `not an endpoint (http://host:port): ${JSON.stringify(endpoint.slice(0, 120))}`,
      );
    }
    if ((options.accessKeyId === undefined) !== (options.secretAccessKey === undefined)) {
      throw new ArchiveError('INVALID', 'give both accessKeyId and secretAccessKey, or neither');
    }
    this.#options = options;
    this.bucket = bucket;
    this.prefix = prefix === '' ? '' : `${parseObjectKey(prefix)}/`;
    this.listPageKeys = options.listPageKeys ?? limits.S3_LIST_PAGE_KEYS;
    this.objectLock = options.objectLock ?? null;
    const provider = options.provider === undefined ? providerOfEndpoint(endpoint) : providerNamed(options.provider);
    this.provider = { ...provider, capabilities: { ...provider.capabilities, ...options.assume } };
    this.place = `s3://${bucket} (${endpoint === undefined ? 'AWS' : new URL(endpoint).host})`;
  }

  /** The key as the bucket has it. */
  keyOf(key: ObjectKey): string {
    return this.prefix + parseObjectKey(key);
  }

  /** From a name as a listing encodes it to the key; undefined for one that is foreign or not below the prefix. */
  keyIn(encoded: string): ObjectKey | undefined {
    try {
      const name = decodeURIComponent(encoded);
      return name.startsWith(this.prefix) ? parseObjectKey(name.slice(this.prefix.length)) : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * Runs one operation. Each attempt has a deadline that grows with `bytes` (default: a chunk's). Transient failures are tried
   * again while attempts are left and the call is not old already.
   */
  async run<T>(
    what: string,
    options: { readonly signal?: AbortSignal | undefined; readonly bytes?: number },
    work: (call: S3Call) => Promise<T>,
  ): Promise<T> {
    const { clock, attemptsMax = limits.S3_ATTEMPTS_MAX, attemptMs = limits.S3_ATTEMPT_MS } = this.#options;
    const { signal, bytes = CHUNK_BYTES } = options;
    const deadlineMs = attemptMs + Math.ceil((bytes * 1000) / limits.S3_BYTES_PER_SECOND_MIN);
    const began = clock.monotonicMs();
    for (let attempt = 1; ; attempt += 1) {
      this.#mustBeOpen();
      throwIfAborted(signal);
      try {
        const loaded = await this.#load();
        const call = (own: AbortSignal) => work({ ...loaded, signal: own, attempt });
        return await withDeadline(deadlineMs, `${what} at ${this.place}`, call, signal);
      } catch (error) {
        if (signal?.aborted) throw abortedError(signal);
        this.#mustBeOpen();
        const old = clock.monotonicMs() - began >= attemptMs;
        if (attempt >= attemptsMax || old || !isTransient(error)) throw s3Error(error, what, this.place);
        await this.#backOff(attempt, signal);
      }
    }
  }

  nowMs(): number {
    return this.#options.clock.nowMs();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const loaded = await this.#loading?.catch(() => undefined);
    loaded?.client.destroy();
    loaded?.sockets.close();
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new ArchiveError('UNAVAILABLE', `${this.place} is closed`);
  }

  /** Full jitter: anywhere up to the doubling bound, so that callers refused together do not return together. */
  async #backOff(attempt: number, signal: AbortSignal | undefined): Promise<void> {
    const bound = Math.min(limits.S3_BACKOFF_MS_MAX, limits.S3_BACKOFF_MS * 2 ** attempt);
    const share = Buffer.from(this.#options.random.bytes(4)).readUInt32BE() / 2 ** 32;
    try {
      await this.#options.clock.sleep(Math.ceil(bound * share), signal);
    } catch (error) {
      throw signal?.aborted ? abortedError(signal) : error;
    }
  }

  #load(): Promise<Loaded> {
    this.#loading ??= this.#connect().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #connect(): Promise<Loaded> {
    const [sdk, { NodeHttpHandler }] = await Promise.all([
      import('@aws-sdk/client-s3'),
      import('@smithy/node-http-handler'),
    ]);
    const { endpoint, region, accessKeyId, secretAccessKey, sessionToken, forcePathStyle, ca, idleMs } = this.#options;
    const agent = { keepAlive: true, maxSockets: limits.S3_SOCKETS_MAX };
    const trusted = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
    // Of inactivity. The whole attempt has its deadline in run().
    const idle = idleMs ?? limits.S3_IDLE_MS;
    const client = new sdk.S3Client({
      region: region ?? this.provider.region,
      forcePathStyle: forcePathStyle ?? this.provider.forcePathStyle,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(accessKeyId === undefined || secretAccessKey === undefined
        ? {}
        : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
      // The default CRC32 is refused by several stores, and the payload hash is in the signature already.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // With an agent of our own the body is sent without waiting for 100, so the header would only cost.
      expectContinueHeader: false,
      maxAttempts: 1,
      logger: quiet,
      requestHandler: new NodeHttpHandler({
        httpAgent: new HttpAgent(agent),
        httpsAgent: new HttpsAgent({ ...agent, ...trusted }),
        connectionTimeout: limits.S3_CONNECT_MS,
        socketTimeout: idle,
        logger: quiet,
      }),
    });
    const sockets = new GetSockets({
      ...trusted,
      connectMs: limits.S3_CONNECT_MS,
      idleMs: idle,
      keptMax: limits.S3_SOCKETS_MAX,
    });
    const gets = new SignedGets({ client, sockets, bucket: this.bucket, endpoint });
    return { sdk, client, gets, sockets };
  }
}
