// One GET as small as it can be: signed by the SDK's own signer with the SDK client's credentials, sent by node:http. The SDK's
// way through its middleware costs about 2 ms of CPU a request, which for a frame of 0.5 MiB is as much as all the rest
// of a cold read (bench/cold-frame.ts); every other call, none of which a viewer waits for, goes that way.
import { type Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { type Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { S3Client } from '@aws-sdk/client-s3';
import * as limits from '../limits.js';

export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

export interface SignedGetOptions {
  readonly client: S3Client;
  readonly agents: Agents;
  readonly bucket: string;
  readonly endpoint: string | undefined;
  readonly idleMs: number;
}

type Signer = Awaited<ReturnType<S3Client['config']['signer']>>;

/** An S3 error's code is its name, as the SDK throws it: s3-errors.ts reads both. */
class S3Refusal extends Error {
  readonly $metadata: { readonly httpStatusCode: number };

  constructor(status: number, code: string) {
    super(`the server answered ${status}`);
    this.name = code;
    this.$metadata = { httpStatusCode: status };
  }
}

/** Error documents are a few hundred bytes. */
const ERROR_BYTES_MAX = 64 * 1024;

export class SignedGets {
  readonly #options: SignedGetOptions;
  #base: Promise<URL> | undefined;
  #signer: Promise<Signer> | undefined;

  constructor(options: SignedGetOptions) {
    this.#options = options;
  }

  /**
   * The answer (200 or 206) with its body still to be read. Any other status throws what the SDK would: an error named by S3's code, with
   * `$metadata.httpStatusCode`. A connection that fails throws node's own error.
   * @param range as in the Range header (RFC 9110 14.2)
   */
  async get(key: string, range: string | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    this.#base ??= this.#resolve();
    this.#signer ??= this.#options.client.config.signer();
    const [base, signer] = await Promise.all([this.#base, this.#signer]);
    const path = `${base.pathname.replace(/\/$/, '')}/${key.split('/').map(encodeURIComponent).join('/')}`;
    const { systemClockOffset } = this.#options.client.config;
    const signed = await signer.sign(
      {
        method: 'GET',
        protocol: base.protocol,
        hostname: base.hostname,
        ...(base.port === '' ? {} : { port: Number(base.port) }),
        path,
        query: {},
        headers: { host: base.host, ...(range === undefined ? {} : { range }) },
      },
      { signingDate: new Date(Date.now() + systemClockOffset) },
    );
    const response = await this.#send(base, path, signed.headers, signal);
    if (response.statusCode === 200 || response.statusCode === 206) return response;
    throw await refusalOf(response);
  }

  /** The status and Date of a GET that nobody signed, for a look at who may read and what time it is there. */
  async unsigned(key: string, signal: AbortSignal): Promise<{ readonly status: number; readonly date: string | null }> {
    this.#base ??= this.#resolve();
    const base = await this.#base;
    const path = `${base.pathname.replace(/\/$/, '')}/${key.split('/').map(encodeURIComponent).join('/')}`;
    const response = await this.#send(base, path, { host: base.host }, signal);
    response.destroy();
    return { status: response.statusCode ?? 0, date: response.headers.date ?? null };
  }

  /** Where the bucket is, by the SDK's own rules: path style, virtual host, partitions. */
  async #resolve(): Promise<URL> {
    const { client, bucket, endpoint } = this.#options;
    const { url } = client.config.endpointProvider({
      Bucket: bucket,
      Region: await client.config.region(),
      ForcePathStyle: client.config.forcePathStyle,
      UseFIPS: await client.config.useFipsEndpoint(),
      UseDualStack: await client.config.useDualstackEndpoint(),
      ...(endpoint === undefined ? {} : { Endpoint: endpoint }),
    });
    return url;
  }

  #send(base: URL, path: string, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
    const { agents, idleMs } = this.#options;
    const secure = base.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const options = { hostname: base.hostname, port: base.port, path, headers, signal };
      const sent = secure
        ? requestHttps({ ...options, agent: agents.https })
        : requestHttp({ ...options, agent: agents.http });
      sent.setTimeout(limits.S3_CONNECT_MS);
      sent.on('socket', (socket) => {
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', () => sent.setTimeout(idleMs));
        else sent.setTimeout(idleMs);
      });
      sent.on('timeout', () =>
        sent.destroy(Object.assign(new Error('nothing came for too long'), { code: 'ETIMEDOUT' })),
      );
      sent.on('response', resolve);
      sent.on('error', reject);
      sent.end();
    });
  }
}

async function refusalOf(response: IncomingMessage): Promise<S3Refusal> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    length += piece.length;
    if (length > ERROR_BYTES_MAX) break;
  }
  const status = response.statusCode ?? 0;
  const text = Buffer.concat(pieces).toString('utf8');
  const code = /^\s*(?:<\?xml[^>]*>\s*)?<Error(?:\s[^>]*)?>[\s\S]*?<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(text)?.[1];
  return new S3Refusal(status, code ?? 'UnknownError');
}
