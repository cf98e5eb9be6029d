// What the end-to-end suites share: buckets on the Ceph clouds as a server's replicas, the CLI as a process, and small DICOMweb
// clients of their own. Nothing of the product's code is used to speak to the product.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CLI } from '../support/gateway-process.js';
import type { Rgw, RgwSite } from '../support/rgw.js';

export type ReplicaSection = Record<string, unknown> & { readonly name: string; readonly url: string };
export type DicomJson = Record<string, { readonly vr: string; readonly Value?: readonly unknown[] }>;

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function makeBucket(site: RgwSite, bucket: string): Promise<void> {
  const { endpoint, region, accessKeyId, secretAccessKey } = site;
  const client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
}

/** A new bucket on every cloud, as the `cold.replicas` of a configuration: r1, r2, … */
export async function makeReplicas(rgw: Rgw, bucket: string): Promise<readonly ReplicaSection[]> {
  await Promise.all(rgw.sites.map((site) => makeBucket(site, bucket)));
  return rgw.sites.map(({ endpoint, region, accessKeyId, secretAccessKey }, at) => ({
    name: `r${at + 1}`,
    url: `s3://${bucket}`,
    ...{ endpoint, region, accessKeyId, secretAccessKey },
    forcePathStyle: true,
    provider: 'ceph',
  }));
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `filmroom …` as a process of its own to its end. */
export function filmroom(
  args: readonly string[],
  options: { readonly cwd?: string; readonly environment?: Record<string, string> } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 100_000,
      env: { ...process.env, ...options.environment },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** GET that must answer `status`; the body as bytes. */
export async function get(url: string, accept: string, status = 200): Promise<Response> {
  const response = await fetch(url, { headers: { accept } });
  if (response.status !== status) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response;
}

/** Rows of a QIDO-RS search; 204 is none. */
export async function search(url: string, pathAndQuery: string): Promise<readonly DicomJson[]> {
  const response = await fetch(`${url}/dicomweb/${pathAndQuery}`, { headers: { accept: 'application/dicom+json' } });
  if (response.status === 204) return [];
  if (response.status !== 200) throw new Error(`${pathAndQuery} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as readonly DicomJson[];
}

/** Bodies of a multipart/related answer, by its boundary alone; for answers that fit in memory. */
export async function partsOf(response: Response): Promise<readonly Buffer[]> {
  const boundary = /boundary="?([^";]+)"?/.exec(response.headers.get('content-type') ?? '')?.[1];
  if (boundary === undefined) throw new Error(`no boundary in ${response.headers.get('content-type')}`);
  const body = Buffer.concat([Buffer.from('\r\n'), Buffer.from(await response.arrayBuffer())]);
  const mark = Buffer.from(`\r\n--${boundary}`);
  const parts: Buffer[] = [];
  for (let at = body.indexOf(mark); at >= 0; ) {
    const next = body.indexOf(mark, at + mark.length);
    if (next < 0) break;
    const head = body.indexOf('\r\n\r\n', at);
    parts.push(body.subarray(head + 4, next));
    at = next;
  }
  return parts;
}

/** The first PatientName of a row, component groups joined with `=` as DICOM writes them; null when it has none. */
export function patientNameOf(row: DicomJson | undefined): string | null {
  const name = row?.['00100010']?.Value?.[0] as Readonly<Record<string, string>> | undefined;
  if (name === undefined) return null;
  return [name['Alphabetic'] ?? '', name['Ideographic'] ?? '', name['Phonetic'] ?? ''].join('=').replace(/=+$/, '');
}
