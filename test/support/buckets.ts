// Buckets of a real S3 server as their owner makes them and looks into them, past everything that is tested.
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
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

  /** Lets another user do these things with the bucket and what is in it, and nothing else. */
  async allow(bucket: string, grants: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
    const Statement = Object.entries(grants).map(([user, actions]) => ({
      Effect: 'Allow',
      Principal: { AWS: [`arn:aws:iam:::user/${user}`] },
      Action: actions.map((action) => `s3:${action}`),
      Resource,
    }));
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await this.client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  }

  /** A user of the same server, who owns nothing. */
  async addUser(uid: string): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
    const keys = { accessKeyId: `${uid}-access`, secretAccessKey: `${uid}-secret-0123456789` };
    const words = ['--access-key', keys.accessKeyId, '--secret-key', keys.secretAccessKey];
    await this.site.admin('user', 'create', `--uid=${uid}`, `--display-name=${uid}`, ...words);
    return keys;
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

  /** Names that have any version. */
  async names(bucket: string): Promise<readonly string[]> {
    return [...new Set((await this.versions(bucket)).map(({ key }) => key))];
  }

  /** Until when the newest version is locked. */
  async lockOf(bucket: string, key: string): Promise<{ readonly mode: string; readonly until: string }> {
    const head = await this.client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return { mode: head.ObjectLockMode ?? '', until: head.ObjectLockRetainUntilDate?.toISOString() ?? '' };
  }

  close(): void {
    this.client.destroy();
  }
}
