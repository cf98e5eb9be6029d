// Real S3 for a benchmark: gateways of Ceph on loopback, a fresh bucket on each, and the bare SDK client.
import { Agent } from 'node:http';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type Rgw, type RgwSite, rgwInstalled, startRgw } from '../../test/support/rgw.js';

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
