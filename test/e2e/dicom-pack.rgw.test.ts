// The shared DICOM pack through the real server over three real S3 clouds: what is to be stored comes back byte for byte hot, cold
// with a cloud dead, and after recall; what is to be refused is refused by name, and leaves the process as it was.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import { type DicomPack, findDicomPack, type PackFile } from '../support/dicom-pack.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { type Rgw, rgwInstalled, startRgw } from '../support/rgw.js';
import { retrieve, type StowAnswer, stow } from '../support/stow.js';
import { type DicomJson, get, makeReplicas, partsOf, patientNameOf, search, sha256Of } from './gateway-clients.js';

const FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*';
const MIB = 1024 * 1024;
/** The process itself, and what deflate_bomb.dcm may inflate to (64 MiB, twice while zlib joins it) in each of its two worker threads. */
/** 200 to start with and store a few; a deflate bomb leaves some 100 in each of two threads until V8 collects there. */
const RESIDENT_BYTES_MAX = 600 * MIB;

/** Rejects of the manifest that are stored, each because its `also_acceptable` allows it: docs/dicom-acceptance.md has the reasons. */
const STORED_WITH_REASON: ReadonlySet<string> = new Set([
  'bad/CTImageStorage_bad_meta.dcm',
  'bad/dim_huge_tiny_pixels.dcm',
  'bad/enc_bot_offsets_out_of_range.dcm',
  'bad/enc_frames_more_than_fragments.dcm',
  'bad/enc_garbage_codestream.dcm',
  'bad/enc_no_seq_delimiter.dcm',
  'bad/frames_huge_count.dcm',
  'bad/len_odd_value.dcm',
]);

interface Stored {
  readonly file: PackFile;
  readonly study: string;
  readonly series: string;
  readonly sop: string;
}

function identityOf(file: PackFile): Stored {
  const { StudyInstanceUID: study, SeriesInstanceUID: series, SOPInstanceUID: sop } = file;
  if (study === null || series === null || sop === null) throw new Error(`${file.file} has no identity`);
  return { file, study, series, sop };
}

/** Files with one SOP Instance UID exclude each other in one archive: the n-th of each goes into the n-th round. */
function roundsOf(files: readonly PackFile[]): readonly (readonly Stored[])[] {
  const rounds: Stored[][] = [];
  const seen = new Map<string, number>();
  for (const file of files) {
    const stored = identityOf(file);
    const round = seen.get(stored.sop) ?? 0;
    seen.set(stored.sop, round + 1);
    rounds[round] ??= [];
    rounds[round]?.push(stored);
  }
  return rounds;
}

async function atOnce<T>(items: readonly T[], count: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const run = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: count }, run));
}

/** Files whose bytes from the server differ from the manifest's, with what came instead. */
async function differing(url: string, stored: readonly Stored[]): Promise<readonly string[]> {
  const bad: string[] = [];
  await atOnce(stored, 8, async (one) => {
    const got = await retrieve(url, one).then(sha256Of, (error: unknown) => String(error));
    if (got !== one.file.sha256) bad.push(`${one.file.file}: ${got}`);
  });
  return bad;
}

/** What is known of frame 1 as it is stored; undefined where the pack knows nothing, or knows it only decoded or swapped. */
function frameTruth(file: PackFile): string | undefined {
  const syntax = transferSyntaxOf(file.TransferSyntaxUID ?? '');
  if (syntax === undefined || syntax.bigEndian || syntax.video) return undefined;
  return syntax.encapsulated ? file.first_frame_encoded?.sha256 : file.first_frame?.sha256;
}

async function differingFrames(url: string, stored: readonly Stored[]): Promise<readonly string[]> {
  const bad: string[] = [];
  await atOnce(stored, 8, async ({ file, study, series, sop }) => {
    const truth = frameTruth(file);
    if (truth === undefined) return;
    const path = `${url}/dicomweb/studies/${study}/series/${series}/instances/${sop}/frames/1`;
    const got = await get(path, FRAMES).then(partsOf, (error: unknown) => String(error));
    const hash = typeof got === 'string' ? got : sha256Of(got[0] ?? Buffer.alloc(0));
    if (hash !== truth) bad.push(`${file.file}: ${hash}`);
  });
  return bad;
}

function answered(answer: StowAnswer): string {
  return `${answer.status} ${answer.text.slice(0, 300)}`;
}

const pack = findDicomPack();
const name = 'the DICOM pack over three S3 clouds (needs ../shared/dicom, radosgw, ceph-mon, ceph-osd, ceph-common)';

describe.skipIf(pack === null || !rgwInstalled())(name, () => {
  // The body is collected even where the suite is skipped.
  const { files, read }: Pick<DicomPack, 'files' | 'read'> = pack ?? { files: [], read: () => Buffer.alloc(0) };
  const rounds = roundsOf(files.filter((file) => file.expected === 'store'));
  const rejects = files.filter((file) => file.expected === 'reject');
  let rgw: Rgw;
  let buckets = 0;
  const running: GatewayProcess[] = [];

  async function startGateway(): Promise<GatewayProcess> {
    buckets += 1;
    const gateway = await GatewayProcess.prepare({
      cold: { keyring: './keyring.json', replicas: await makeReplicas(rgw, `pack-${buckets}`) },
      tiering: { recall: 'never' },
    });
    running.push(gateway);
    await gateway.start();
    return gateway;
  }

  beforeAll(async () => {
    rgw = await startRgw({ sites: 3 });
  });
  afterAll(async () => {
    for (const gateway of running) await gateway.destroy();
    await rgw?.close();
  });

  it('has 300 files to store and 98 to refuse', () => {
    expect(rounds.flat()).toHaveLength(300);
    expect(rejects).toHaveLength(98);
  });

  it.each(rounds.map((stored, at) => [at + 1, stored.length, stored] as const))(
    'round %i: %i files are the same bytes hot, cold with a cloud dead, and recalled',
    async (round, _, stored) => {
      const gateway = await startGateway();
      await atOnce(stored, 8, async ({ file, sop }) => {
        const answer = await stow(gateway.url, [read(file)]);
        expect([200, 202], `${file.file}: ${answered(answer)}`).toContain(answer.status);
        expect(answer.stored, file.file).toEqual([sop]);
      });
      expect(await differing(gateway.url, stored), 'hot').toEqual([]);
      expect(await differingFrames(gateway.url, stored), 'frames, hot').toEqual([]);

      const migrated = await gateway.job('migrate', { all: true });
      expect(migrated, JSON.stringify(migrated)).toMatchObject({ state: 'done', report: { failures: [] } });
      const site = rgw.sites[round % rgw.sites.length] ?? expect.fail('no site');
      await site.stop();
      try {
        expect(await differing(gateway.url, stored), 'cold').toEqual([]);
        expect(await differingFrames(gateway.url, stored), 'frames, cold').toEqual([]);
        const recalled = await gateway.job('recall', { all: true });
        expect(recalled, JSON.stringify(recalled)).toMatchObject({ state: 'done', report: { failures: [] } });
        expect(await differing(gateway.url, stored), 'recalled').toEqual([]);
      } finally {
        await site.start();
      }
      await gateway.destroy();
    },
  );

  it('every file of charset/ shows the PatientName of the manifest in UTF-8, by QIDO-RS and in its metadata', async () => {
    for (const stored of roundsOf(
      files.filter((file) => file.file.startsWith('charset/') && file.expected === 'store'),
    )) {
      const gateway = await startGateway();
      for (const { file, study, series, sop } of stored) {
        await stow(gateway.url, [read(file)]);
        const path = `${gateway.url}/dicomweb/studies/${study}/series/${series}/instances/${sop}/metadata`;
        const [metadata] = (await (await get(path, 'application/dicom+json')).json()) as readonly DicomJson[];
        expect([file.file, patientNameOf(metadata)]).toEqual([file.file, file.PatientName]);
        // A study's name is its first instance's; one that shares the study may have another.
        const first = stored.find((one) => one.study === study)?.file ?? file;
        const rows = await search(gateway.url, `studies?StudyInstanceUID=${study}`);
        expect([first.file, rows.map(patientNameOf)]).toEqual([first.file, [first.PatientName]]);
      }
      await gateway.destroy();
    }
  });

  it('refuses what must be refused, by name, alive and with its memory flat', async () => {
    const gateway = await startGateway();
    const pid = gateway.pid;
    const sendAll = async () => {
      for (const file of rejects) {
        const answer = await stow(gateway.url, [read(file)]);
        const what = `${file.file}: ${answered(answer)}`;
        if (STORED_WITH_REASON.has(file.file)) {
          expect(file.also_acceptable, file.file).toMatch(/^store/);
          // One of them has the UID of another one.
          expect([200, 202, 409], what).toContain(answer.status);
        } else {
          expect([400, 409], what).toContain(answer.status);
          expect(answer.stored, what).toEqual([]);
        }
      }
    };
    await sendAll();
    // The worker threads take turns as they like: each must have met the largest of them before memory is called flat.
    const largest = rejects.find(({ file }) => file.endsWith('deflate_bomb.dcm'));
    if (largest !== undefined) {
      for (let n = 0; n < 6; n += 1) {
        await Promise.all([1, 2, 3, 4].map(() => stow(gateway.url, [read(largest)])));
      }
    }
    await sendAll();
    const before = await gateway.residentBytes();
    for (let again = 0; again < 3; again += 1) await sendAll();
    const after = await gateway.residentBytes();
    expect(gateway.pid).toBe(pid);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    expect(after - before, `${before} to ${after} bytes`).toBeLessThan(48 * MIB);
    expect(after, 'resident memory').toBeLessThan(RESIDENT_BYTES_MAX);
    const rows = await search(gateway.url, 'instances?limit=1000');
    expect(rows.length).toBeLessThanOrEqual(STORED_WITH_REASON.size);
    await gateway.destroy();
  });

  it('takes all 398 in one STOW: 202, every good one stored, every bad one and every second bearer of a UID named', async () => {
    const gateway = await startGateway();
    const answer = await stow(gateway.url, files.map(read));
    expect(answer.status, answered(answer)).toBe(202);
    const [first = [], ...others] = rounds;
    expect(first.map(({ file, sop }) => [file.file, answer.stored.includes(sop)])).toEqual(
      first.map(({ file }) => [file.file, true]),
    );
    const failures = answer.failed.size + answer.others.length;
    const firstUids = new Set(first.map(({ sop }) => sop));
    const extra = answer.stored.filter((sop) => !firstUids.has(sop));
    const allowed = files.filter((file) => STORED_WITH_REASON.has(file.file)).map((file) => file.SOPInstanceUID);
    expect(allowed).toEqual(expect.arrayContaining(extra));
    // A Map of failures by UID counts several bearers of one UID once.
    expect(failures).toBeLessThanOrEqual(rejects.length + others.flat().length);
    expect(countItems(answer)).toBe(files.length);
    expect(await kept(gateway.url)).toEqual([]);
    expect(await gateway.residentBytes()).toBeLessThan(RESIDENT_BYTES_MAX);
    await gateway.destroy();

    /** Of each UID of the first round the archive holds one of its bearers, whole. */
    async function kept(url: string): Promise<readonly string[]> {
      const bad: string[] = [];
      await atOnce(first, 8, async (one) => {
        const bearers = files.filter(({ SOPInstanceUID }) => SOPInstanceUID === one.sop).map(({ sha256 }) => sha256);
        const home = files.filter(({ SOPInstanceUID }) => SOPInstanceUID === one.sop).map(identityOf);
        const got = await Promise.any(home.map((place) => retrieve(url, place).then(sha256Of))).catch(() => 'nothing');
        if (!bearers.includes(got)) bad.push(`${one.file.file}: ${got}`);
      });
      return bad;
    }
  });
});

/** How many instances the answer speaks of, in whichever sequence. */
function countItems({ text }: StowAnswer): number {
  const body = JSON.parse(text) as Record<string, { readonly Value?: readonly unknown[] } | undefined>;
  return ['00081199', '00081198', '0008119A'].reduce((sum, tag) => sum + (body[tag]?.Value?.length ?? 0), 0);
}
