// Real S3 for a benchmark: gateways of Ceph on loopback, a fresh bucket on each, the bare SDK client, and rclone's way to them.
import { execFile } from 'node:child_process';
import { Agent } from 'node:http';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type Rgw, type RgwSite, rgwInstalled, startRgw } from '../../test/support/rgw.js';

const run = promisify(execFile);
export const BUCKET = 'bench';
export const NOT_INSTALLED = 'Ceph RGW is not installed (apt-get install radosgw ceph-mon ceph-osd ceph-common)';

export class Clouds {
  readonly #rgw: Rgw;

  private constructor(rgw: Rgw) {
    this.#rgw = rgw;
  }

  static readonly installed = rgwInstalled;

  static async start(sites: number): Promise<Clouds> {
    const rgw = await startRgw({ sites });
    for (const site of rgw.sites) {
      const client = bareClient(site);
      await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
      client.destroy();
    }
    return new Clouds(rgw);
  }

  site(number: number): RgwSite {
    const site = this.#rgw.sites[number];
    if (site === undefined) throw new Error(`there is no site ${number}`);
    return site;
  }

  /** The `cold.replicas` of a configuration: the first `count` sites. */
  replicas(count: number): readonly Record<string, unknown>[] {
    return this.#rgw.sites.slice(0, count).map(({ endpoint, region, accessKeyId, secretAccessKey }, at) => ({
      ...{ name: `cloud-${at + 1}`, url: `s3://${BUCKET}`, provider: 'ceph', forcePathStyle: true },
      ...{ endpoint, region, accessKeyId, secretAccessKey },
    }));
  }

  close(): Promise<void> {
    return this.#rgw.close();
  }
}

/** The SDK with the product's own settings and nothing above it. */
export function bareClient({ endpoint, region, accessKeyId, secretAccessKey }: RgwSite): S3Client {
  return new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpAgent: new Agent({ keepAlive: true, maxSockets: 64 }) }),
    logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
  });
}

export async function rcloneInstalled(): Promise<boolean> {
  return run('rclone', ['version'], { env: rcloneEnvironment({}) }).then(
    () => true,
    () => false,
  );
}

/** `rclone copy` of a directory into an encrypted remote over the bucket, sixteen files at a time. */
export async function rcloneCrypt(site: RgwSite, from: string, to: string): Promise<void> {
  const obscure = async (word: string) =>
    (await run('rclone', ['obscure', word], { env: rcloneEnvironment({}) })).stdout.trim();
  const env = rcloneEnvironment({
    RCLONE_CONFIG_LAB_TYPE: 's3',
    RCLONE_CONFIG_LAB_PROVIDER: 'Ceph',
    RCLONE_CONFIG_LAB_ACCESS_KEY_ID: site.accessKeyId,
    RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY: site.secretAccessKey,
    RCLONE_CONFIG_LAB_ENDPOINT: site.endpoint,
    RCLONE_CONFIG_LAB_REGION: site.region,
    RCLONE_CONFIG_SEALED_TYPE: 'crypt',
    RCLONE_CONFIG_SEALED_REMOTE: `lab:${BUCKET}/rclone`,
    RCLONE_CONFIG_SEALED_PASSWORD: await obscure('correct horse'),
    RCLONE_CONFIG_SEALED_PASSWORD2: await obscure('battery staple'),
  });
  const flags = ['--transfers', '16', '--s3-no-check-bucket', '--no-traverse', '--config', '/dev/null'];
  await run('rclone', ['copy', from, `sealed:${to}`, ...flags], { env, timeout: 120_000 });
}

/** rclone 1.60 dies where AWS_CA_BUNDLE is set. */
function rcloneEnvironment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { AWS_CA_BUNDLE: _, ...rest } = process.env;
  return { ...rest, ...more };
}
