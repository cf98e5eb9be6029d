// One GET as small as it can be: signed by the SDK's own signer with the SDK client's credentials, sent over sockets of our own (get-sockets.ts). The SDK's
// way through its middleware costs about 2 ms of CPU a request, which for a frame of 0.5 MiB is as much as all the rest
// of a cold read (bench/cold-frame.ts); every other call, none of which a viewer waits for, goes that way.
import type { S3Client } from '@aws-sdk/client-s3';
import type { GetAnswer, GetSockets } from './get-sockets.js';

export interface SignedGetOptions {
  readonly client: S3Client;
  readonly sockets: GetSockets;
  readonly bucket: string;
  readonly endpoint: string | undefined;
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
  async get(key: string, range: string | undefined, signal: AbortSignal): Promise<GetAnswer> {
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
    const answer = await this.#options.sockets.send(base, path, signed.headers, signal);
    if (answer.status === 200 || answer.status === 206) return answer;
    throw await refusalOf(answer);
  }

  /** The status and Date of a GET that nobody signed, for a look at who may read and what time it is there. */
  async unsigned(key: string, signal: AbortSignal): Promise<{ readonly status: number; readonly date: string | null }> {
    this.#base ??= this.#resolve();
    const base = await this.#base;
    const path = `${base.pathname.replace(/\/$/, '')}/${key.split('/').map(encodeURIComponent).join('/')}`;
    const answer = await this.#options.sockets.send(base, path, { host: base.host }, signal);
    answer.discard();
    return { status: answer.status, date: answer.headers['date'] ?? null };
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
}

async function refusalOf(answer: GetAnswer): Promise<S3Refusal> {
  const text = await answer.text();
  const code = /^\s*(?:<\?xml[^>]*>\s*)?<Error(?:\s[^>]*)?>[\s\S]*?<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(text)?.[1];
  return new S3Refusal(answer.status, code ?? 'UnknownError');
}
