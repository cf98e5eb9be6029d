// Buckets of a real S3 server as their owner makes them and looks into them, past everything that is tested.
import {
  CreateBucketCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { RgwSite } from './rgw.js';

export interface StoredVersion {
  readonly key: string;
  readonly versionId: string;
  readonly newest: boolean;
  readonly deleteMarker: boolean;
}

export class Buckets {
  readonly site: RgwSite;
  readonly client: S3Client;

  constructor(site: RgwSite | undefined) {
    if (site === undefined) throw new Error('no site');
    this.site = site;
    const { endpoint, region, accessKeyId, secretAccessKey } = site;
    this.client = new S3Client({
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey },
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
  }

  async make(bucket: string, keep: { readonly versions?: boolean; readonly lock?: boolean } = {}): Promise<void> {
    await this.client.send(
      new CreateBucketCommand({ Bucket: bucket, ...(keep.lock === true ? { ObjectLockEnabledForBucket: true } : {}) }),
    );
    if (keep.versions !== true) return;
    await this.client.send(
      new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }),
    );
  }

  /** Everything in the bucket, delete markers too. */
  async versions(bucket: string): Promise<readonly StoredVersion[]> {
    const found: StoredVersion[] = [];
    let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await this.client.send(new ListObjectVersionsCommand({ Bucket: bucket, ...marker }));
      const entries = [
        ...(page.Versions ?? []).map((one) => ({ ...one, deleteMarker: false })),
        ...(page.DeleteMarkers ?? []).map((one) => ({ ...one, deleteMarker: true })),
      ];
      for (const { Key: key = '', VersionId: versionId = '', IsLatest: newest = false, deleteMarker } of entries) {
        found.push({ key, versionId, newest, deleteMarker });
      }
      if (page.IsTruncated !== true) return found;
      marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    }
  }

  close(): void {
    this.client.destroy();
  }
}
