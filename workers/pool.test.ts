// The worker pool with its real threads: what comes back, what is moved, and what happens to a task
// that is too slow, too large, or one too many.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeLayout } from '../dicom/layout.js';
import { phantomCt } from '../dicom/phantom/phantom.js';
import { parseInstance } from '../dicom/scan/parse-instance.js';
import { encapsulated, imageElements, instance, JPEG_BASELINE } from '../test/support/dicom-bytes.js';
import { packIdNumbered } from '../test/support/volume-bytes.js';
import { isSole, takeBuffer } from '../tiering/core/buffers.js';
import type { ErrorCode } from '../tiering/core/errors.js';
import { parseSha256, type Sha256 } from '../tiering/core/ids.js';
import { openChunk, segmentSpan } from '../tiering/format/chunk.js';
import { createWorkerPool, type WorkerPool, type WorkerPoolOptions } from './pool.js';
import type { OpenTask, SealTask } from './tasks/types.js';

const MiB = 1024 * 1024;

function sha256(bytes: Uint8Array): Sha256 {
  return parseSha256(createHash('sha256').update(bytes).digest('hex'));
}

async function expectCode(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: 'ArchiveError', code });
}

function sealing(plaintext: Uint8Array, members: SealTask['members'] = []): SealTask {
  return {
    plaintext,
    pack: packIdNumbered(1),
    chunk: 3,
    suite: 1,
    dek: randomBytes(32),
    dekId: randomBytes(16),
    salt: randomBytes(32),
    members,
  };
}

describe('the worker pool', () => {
  let pool: WorkerPool;
  let folder: string;
  beforeAll(async () => {
    pool = createWorkerPool({ threads: 2 });
    folder = await mkdtemp(join(tmpdir(), 'filmroom-pool-'));
  });
  afterAll(async () => {
    await pool.close();
    await rm(folder, { recursive: true });
  });

  it('ingest hashes and parses, gives the bytes back, and says what a scan of the same file says', async () => {
    const { bytes, sop } = phantomCt({ seed: 1, index: 0 });
    const truth = parseInstance(bytes);
    const copy = Uint8Array.from(bytes);
    const result = await pool.ingest({ bytes: copy });
    expect(copy.byteLength).toBe(0);
    expect(Buffer.from(result.bytes).equals(bytes)).toBe(true);
    expect(result.sha256).toBe(sha256(bytes));
    if (!result.parsed.ok) throw new Error(result.parsed.failure.message);
    expect(result.parsed.instance.sopUid).toBe(sop);
    expect(gunzipSync(result.parsed.metadata).toString()).toBe(truth.json);
    expect(decodeLayout(result.parsed.layout)).toEqual(truth.layout);
    const path = join(folder, 'ct.tar');
    await writeFile(path, Buffer.concat([Buffer.alloc(512), bytes, Buffer.alloc(100)]));
    expect(await pool.scanFile({ path, start: 512, end: 512 + bytes.length })).toEqual(result.parsed);
  });

  it('a view of something larger is copied, so that its neighbours stay', async () => {
    const { bytes } = phantomCt({ seed: 1, index: 1 });
    const request = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
    const result = await pool.ingest({ bytes: request.subarray(6, 6 + bytes.length) });
    expect(result.parsed.ok).toBe(true);
    expect(request.subarray(0, 6).toString()).toBe('before');
    expect(result.bytes.buffer.byteLength).toBe(bytes.length);
  });

  it('what is wrong with DICOM bytes is in the result, with as much identity as they gave', async () => {
    const junk = await pool.ingest({ bytes: Buffer.from('no DICOM at all') });
    expect(junk.parsed).toMatchObject({ ok: false, failure: { code: 'INVALID', fault: 'NOT_DICOM' } });
    expect(junk.bytes.length).toBe(15);
    const { bytes, sop } = phantomCt({ seed: 1, index: 2 });
    const cut = await pool.ingest({ bytes: bytes.slice(0, bytes.length - 1000) });
    expect(cut.parsed).toMatchObject({ ok: false, failure: { fault: 'TRUNCATED', identity: { sopUid: sop } } });
  });

  it('a scan of a file that is absent, short, or no file rejects for the file', async () => {
    const path = join(folder, 'short.tar');
    await writeFile(path, 'short');
    await expectCode(pool.scanFile({ path: join(folder, 'none.tar'), start: 0, end: 1 }), 'ABSENT');
    await expectCode(pool.scanFile({ path, start: 0, end: 6 }), 'CORRUPT');
    await expectCode(pool.scanFile({ path: folder, start: 0, end: 1 }), 'UNAVAILABLE');
  });

  it('seals a chunk where it lies when its memory has room', async () => {
    const plain = new Uint8Array(randomBytes(8 * MiB));
    const members = [{ start: 10, end: 500, sha256: sha256(plain.subarray(10, 500)) }];
    const task = sealing(Uint8Array.from(plain), members);
    const fresh = await pool.seal(task);
    const room = takeBuffer(plain.length);
    room.set(plain);
    const memoryBytes = room.buffer.byteLength;
    const inPlace = await pool.seal({ ...task, plaintext: room });
    expect([room.length, inPlace.sealed.buffer.byteLength]).toEqual([0, memoryBytes]);
    expect(inPlace.name).toBe(fresh.name);
    expect(Buffer.compare(inPlace.sealed, fresh.sealed)).toBe(0);
    expect(isSole(inPlace.sealed)).toBe(true);
    const damaged = takeBuffer(plain.length);
    damaged.set(plain);
    damaged[20] = (plain[20] ?? 0) ^ 1;
    await expectCode(pool.seal({ ...task, plaintext: damaged }), 'CORRUPT');
  });

  it.each([1000, 3 * MiB])('seals %i bytes so that any range of them opens again', async (length) => {
    const plain = new Uint8Array(randomBytes(length));
    const task = sealing(Uint8Array.from(plain), [{ start: 10, end: 500, sha256: sha256(plain.subarray(10, 500)) }]);
    const { sealed, name } = await pool.seal(task);
    expect(name).toBe(`c/${sha256(sealed).slice(0, 2)}/${sha256(sealed)}`);
    const commitment = sealed.slice(128, 160);
    const opening = { ...task, commitment, chunkBytes: length };
    expect(Buffer.from(openChunk(sealed, opening)).equals(plain)).toBe(true);
    for (const [start, end] of [
      [0, length],
      [7, 8],
      [length - 900, length],
    ] as const) {
      const { objectStart, objectEnd } = segmentSpan(length, start, end);
      const { bytes } = await pool.open({ ...opening, bytes: sealed.slice(objectStart, objectEnd), start, end });
      expect(Buffer.from(bytes).equals(plain.subarray(start, end))).toBe(true);
    }
  });

  it('refuses to seal a member that is not what it was', async () => {
    const plain = new Uint8Array(randomBytes(4000));
    const wrong = { start: 5, end: 2000, sha256: sha256(plain.subarray(5, 1999)) };
    await expect(pool.seal(sealing(plain, [wrong]))).rejects.toThrow(/\[5, 2000\)/);
  });

  it.each([1000, MiB])('tells damage from a wrong key, inline and in a thread (%i bytes)', async (length) => {
    const task = sealing(new Uint8Array(randomBytes(length)));
    const { sealed } = await pool.seal(task);
    const { objectStart, objectEnd } = segmentSpan(length, 0, length);
    const opening = { ...task, commitment: sealed.slice(128, 160), chunkBytes: length, start: 0, end: length };
    const bytes = () => sealed.slice(objectStart, objectEnd);
    const damaged = bytes();
    damaged[length >> 1] = (damaged[length >> 1] ?? 0) ^ 1;
    await expectCode(pool.open({ ...opening, bytes: damaged }), 'CORRUPT');
    await expectCode(pool.open({ ...opening, bytes: bytes().slice(1) }), 'CORRUPT');
    await expectCode(pool.open({ ...opening, bytes: bytes(), dek: randomBytes(32) }), 'WRONG_KEY');
    expect((await pool.open({ ...opening, bytes: bytes() })).bytes.length).toBe(length);
  });

  it.each([100, 5 * MiB])(
    'hashes the members in what it opens, and names the first that differs (%i bytes)',
    async (length) => {
      const plain = new Uint8Array(randomBytes(length));
      const task = sealing(Uint8Array.from(plain));
      const { sealed } = await pool.seal(task);
      const { objectStart, objectEnd } = segmentSpan(length, 0, length);
      const opening = { ...task, commitment: sealed.slice(128, 160), chunkBytes: length, start: 0, end: length };
      const member = { start: 10, end: length - 10, sha256: sha256(plain.subarray(10, length - 10)) };
      const open = (members: OpenTask['members']) =>
        pool.open({ ...opening, members, bytes: sealed.slice(objectStart, objectEnd) });
      expect(await open([member])).toMatchObject({ unlike: null });
      const wrong = { ...member, start: 11 };
      const opened = await open([member, wrong, { ...wrong, start: 12 }]);
      expect(opened.unlike).toEqual(wrong);
      expect(Buffer.compare(opened.bytes, plain)).toBe(0);
    },
  );

  it.each([0, 100, 5 * MiB])('hashes %i bytes and gives them back', async (length) => {
    const bytes = new Uint8Array(randomBytes(length));
    const expected = sha256(bytes);
    const result = await pool.hash({ bytes });
    expect(result.sha256).toBe(expected);
    expect(result.bytes.length).toBe(length);
    expect(pool.pending).toBe(0);
  });
});

describe('a worker pool under stress', () => {
  const pools: WorkerPool[] = [];
  const start = (options: WorkerPoolOptions) => {
    const pool = createWorkerPool(options);
    pools.push(pool);
    return pool;
  };
  afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

  it('stops a task at its time limit, and its thread is replaced', async () => {
    const pool = start({ threads: 1, taskTimeoutMs: 250 });
    // The thread has started once a small task came back.
    await expect
      .poll(
        () =>
          pool.hash({ bytes: new Uint8Array(MiB) }).then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
    await expect(pool.hash({ bytes: new Uint8Array(1024 * MiB) })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect
      .poll(
        () =>
          pool.hash({ bytes: new Uint8Array(MiB) }).then(
            ({ sha256: found }) => found,
            () => '',
          ),
        { timeout: 20_000 },
      )
      .toBe(sha256(new Uint8Array(MiB)));
  });

  it('refuses one task more than may wait, and serves those that do', async () => {
    const pool = start({ threads: 1, waitingMax: 3 });
    const tasks = Array.from({ length: 6 }, () => pool.hash({ bytes: new Uint8Array(2 * MiB) }));
    const outcomes = await Promise.all(
      tasks.map((task) =>
        task.then(
          () => 'done',
          (error: unknown) => String(error),
        ),
      ),
    );
    const refused = 'ArchiveError: too many requests are waiting; try again shortly';
    expect(outcomes).toEqual(['done', 'done', 'done', 'done', refused, refused]);
  });

  it('refuses no instance that comes in, however many do and whatever else waits, and they keep nothing else out', async () => {
    const pool = start({ threads: 1, waitingMax: 4 });
    const { bytes } = phantomCt({ seed: 1, index: 0, rows: 32, columns: 32 });
    const instances = Array.from({ length: 500 }, () => pool.ingest({ bytes: Uint8Array.from(bytes) }));
    const others: Promise<unknown>[] = [];
    for (let n = 0; n < 20; n += 1) {
      others.push(pool.hash({ bytes: new Uint8Array(MiB) }), pool.hash({ bytes: new Uint8Array(MiB) }));
      await Promise.all(others.slice(-2));
    }
    const left = pool.pending;
    expect((await Promise.all(instances)).every(({ parsed }) => parsed.ok)).toBe(true);
    expect(left, 'the others did not wait behind all of them').toBeGreaterThan(0);
  });

  it('finds without a thread that what is shorter than a preamble is no instance', async () => {
    const pool = start({ threads: 1, taskTimeoutMs: 60_000 });
    const long = pool.hash({ bytes: new Uint8Array(256 * MiB) });
    for (const length of [0, 1, 131]) {
      const { parsed, sha256: found } = await pool.ingest({ bytes: new Uint8Array(length) });
      expect(parsed).toMatchObject({ ok: false, failure: { code: expect.any(String) as string } });
      expect(found).toBe(sha256(new Uint8Array(length)));
    }
    expect(pool.pending).toBe(1);
    await long;
  });

  it('a task that outgrows its heap fails alone', async () => {
    const pool = start({ threads: 1, heapMb: 24 });
    // A million frames: objects far beyond that heap, out of 10 MB of file.
    const greedy = await pool.ingest({ bytes: manyFrames(1_000_000) }).catch((error: unknown) => error);
    expect(greedy).toMatchObject({ code: 'LIMIT' });
    const { bytes } = phantomCt({ seed: 1, index: 0 });
    await expect
      .poll(
        () =>
          pool.ingest({ bytes: Uint8Array.from(bytes) }).then(
            ({ parsed }) => parsed.ok,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
  });

  it('close lets what runs and waits finish, and refuses the rest', async () => {
    const pool = start({ threads: 1 });
    const tasks = Array.from({ length: 4 }, () => pool.hash({ bytes: new Uint8Array(2 * MiB) }));
    const closing = pool.close();
    await expectCode(pool.hash({ bytes: new Uint8Array(1) }), 'UNAVAILABLE');
    await expectCode(pool.ingest({ bytes: new Uint8Array(1) }), 'UNAVAILABLE');
    expect(await Promise.all(tasks)).toHaveLength(4);
    await closing;
  });
});

/** An image of `count` frames, each a fragment of two bytes: as many objects in its layout, out of 10 bytes a frame of file. */
function manyFrames(count: number): Uint8Array {
  const fragments = new Array<Buffer>(count).fill(Buffer.alloc(2));
  const elements = [...imageElements(1, 1, String(count)), encapsulated(fragments)];
  return Uint8Array.from(instance(elements, { transferSyntax: JPEG_BASELINE }));
}
