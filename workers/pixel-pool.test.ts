// The pixel pool with its real threads: what comes back, what is moved, what is refused before it is decoded, and what happens
// to a frame that is too slow, one too many, or not wanted any more.
import { randomFillSync } from 'node:crypto';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import type { Frame } from '../dicom/codecs/frame.js';
import { EXPLICIT_LITTLE, JPEG_2000_LOSSLESS, RLE_LOSSLESS } from '../dicom/transfer-syntax.js';
import { describedAs, nativeFrame } from '../test/support/frames.js';
import type { ErrorCode } from '../tiering/core/errors.js';
import { createPixelPool, type PixelPool, type PixelPoolOptions } from './pixel-pool.js';

const JPEG_LS = '1.2.840.10008.1.2.4.80';

async function expectCode(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: 'ArchiveError', code });
}

describe('the pixel pool', () => {
  const pools: PixelPool[] = [];
  const start = (options: PixelPoolOptions = {}) => {
    const pool = createPixelPool({ threads: 1, ...options });
    pools.push(pool);
    return pool;
  };
  afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

  it('encodes and decodes in a thread that comes with the first frame, and moves the bytes away', async () => {
    const pool = start();
    expect(pool.threads).toBe(0);
    const frame = nativeFrame('u12', 64, 48);
    const truth = Uint8Array.from(frame.bytes);
    const encoded = await pool.transcode(frame, JPEG_LS);
    expect(frame.bytes.byteLength).toBe(0);
    expect(encoded.syntax).toBe(JPEG_LS);
    expect(pool.threads).toBe(1);
    const back = await pool.transcode(encoded, EXPLICIT_LITTLE);
    expect(back).toEqual({ ...frame, bytes: truth });
  });

  it('copies a frame that is a view of something larger, so that its neighbours stay', async () => {
    const pool = start();
    const frame = nativeFrame('u8', 16, 16);
    const request = Buffer.concat([Buffer.from('before'), frame.bytes, Buffer.from('after')]);
    const bytes = request.subarray(6, 6 + frame.bytes.length);
    const encoded = await pool.transcode({ ...frame, bytes }, JPEG_LS);
    expect(request.subarray(0, 6).toString()).toBe('before');
    expect((await pool.transcode(encoded, EXPLICIT_LITTLE)).bytes).toEqual(frame.bytes);
  });

  it('gives native little endian and what is there already back without a thread', async () => {
    const pool = start();
    const frame = nativeFrame('s16', 8, 8);
    expect(await pool.transcode(frame, EXPLICIT_LITTLE)).toBe(frame);
    const implicit = { ...frame, syntax: '1.2.840.10008.1.2' };
    expect(await pool.transcode(implicit, EXPLICIT_LITTLE)).toEqual(frame);
    await expectCode(pool.transcode({ ...implicit, bytes: frame.bytes.subarray(1) }, EXPLICIT_LITTLE), 'CORRUPT');
    expect(pool.threads).toBe(0);
  });

  it('passes on what the codecs say', async () => {
    const pool = start();
    const junk: Frame = { ...nativeFrame('u8', 8, 8), syntax: JPEG_LS };
    await expectCode(pool.transcode(junk, EXPLICIT_LITTLE), 'CORRUPT');
    await expectCode(pool.transcode({ ...nativeFrame('u8', 8, 8), syntax: '1.2.3' }, EXPLICIT_LITTLE), 'NOT_SUPPORTED');
    await expectCode(pool.transcode(nativeFrame('u8', 8, 8), '1.2.3'), 'NOT_SUPPORTED');
  });

  it('refuses a bomb by its description, before it reaches a thread', async () => {
    const pool = start();
    const { pixels } = nativeFrame('u8', 1, 1);
    const bomb = { syntax: JPEG_LS, pixels: { ...pixels, rows: 65_535, columns: 65_535 }, bytes: new Uint8Array(1000) };
    await expectCode(pool.transcode(bomb, EXPLICIT_LITTLE), 'LIMIT');
    expect([pool.threads, bomb.bytes.length]).toEqual([0, 1000]);
  });

  it('ends the thread of a frame that takes too long, and goes on with another', async () => {
    const pool = start({ taskTimeoutMs: 1500 });
    // 64 MiB of noise: seconds of JPEG 2000.
    const slow: Frame = {
      syntax: EXPLICIT_LITTLE,
      pixels: describedAs('u16', 8192, 4096),
      bytes: randomFillSync(new Uint8Array(8192 * 4096 * 2)),
    };
    await expectCode(pool.transcode(slow, JPEG_2000_LOSSLESS), 'UNAVAILABLE');
    const again = () =>
      pool.transcode(nativeFrame('u8', 8, 8), RLE_LOSSLESS).then(
        () => true,
        () => false,
      );
    await expect.poll(again, { timeout: 40_000 }).toBe(true);
    expect(pool.pending).toBe(0);
  }, 60_000);

  it('refuses one frame more than may wait, or than it may hold, and serves those that do', async () => {
    const outcomes = (tasks: readonly Promise<unknown>[]) =>
      Promise.all(
        tasks.map((task) =>
          task.then(
            () => 'done',
            (error: unknown) => (error as { code: string }).code,
          ),
        ),
      );
    const few = start({ waitingMax: 2 });
    const frames = () => Array.from({ length: 5 }, (_, seed) => nativeFrame('u16', 64, 64, seed));
    expect(await outcomes(frames().map((frame) => few.transcode(frame, JPEG_LS)))).toEqual([
      'done',
      'done',
      'done',
      'UNAVAILABLE',
      'UNAVAILABLE',
    ]);
    const small = start({ heldBytesMax: 3 * 64 * 64 * 2 });
    expect(await outcomes(frames().map((frame) => small.transcode(frame, JPEG_LS)))).toEqual([
      'done',
      'done',
      'done',
      'UNAVAILABLE',
      'UNAVAILABLE',
    ]);
    expect(small.pending).toBe(0);
  });

  it('runs frames one by one where their descriptions leave no memory for two', async () => {
    const pool = start({ threads: 2, workBytesMax: 1 });
    const frames = Array.from({ length: 4 }, (_, seed) => nativeFrame('u16', 64, 64, seed));
    const encoded = await Promise.all(frames.map((frame) => pool.transcode(frame, JPEG_LS)));
    expect(encoded.map(({ syntax }) => syntax)).toEqual([JPEG_LS, JPEG_LS, JPEG_LS, JPEG_LS]);
    expect(pool.threads).toBeLessThanOrEqual(2);
  });

  it('gives up a frame that nobody waits for, waiting or running', async () => {
    const pool = start();
    const gone = new AbortController();
    const running = pool.transcode(nativeFrame('u16', 1024, 1024, 1, 0.5), JPEG_2000_LOSSLESS, gone.signal);
    const waiting = pool.transcode(nativeFrame('u8', 8, 8), JPEG_LS, gone.signal);
    const wanted = pool.transcode(nativeFrame('u8', 8, 8), JPEG_LS);
    gone.abort();
    await expectCode(running, 'ABORTED');
    await expectCode(waiting, 'ABORTED');
    expect((await wanted).syntax).toBe(JPEG_LS);
    await expectCode(pool.transcode(nativeFrame('u8', 8, 8), JPEG_LS, gone.signal), 'ABORTED');
  });

  it('close lets what runs and waits finish, and refuses the rest', async () => {
    const pool = start();
    const tasks = Array.from({ length: 3 }, (_, seed) => pool.transcode(nativeFrame('u8', 32, 32, seed), JPEG_LS));
    const closing = pool.close();
    await expectCode(pool.transcode(nativeFrame('u8', 8, 8), JPEG_LS), 'UNAVAILABLE');
    expect(await Promise.all(tasks)).toHaveLength(3);
    await closing;
  });

  it('renders what it decodes, in the thread, and joins pictures to an animation', async () => {
    const pool = start();
    const look = { modality: null, voi: null, palette: null, inverse: false, padding: null, aspect: 1 };
    const request = {
      mediaType: 'image/png',
      quality: null,
      window: null,
      viewport: null,
      profile: null,
      annotation: null,
    } as const;
    const native = await pool.render(nativeFrame('u12', 64, 48), look, request);
    const compressed = await pool.transcode(nativeFrame('u12', 64, 48), JPEG_2000_LOSSLESS);
    const half = { ...compressed, bytes: compressed.bytes.slice(0, 200) };
    const decoded = await pool.render(compressed, look, request);
    expect(decoded).toEqual(native);
    expect(await sharp(native.bytes).metadata()).toMatchObject({ format: 'png', width: 48, height: 64 });
    const gif = { ...request, mediaType: 'image/gif' } as const;
    const pictures = [
      (await pool.render(nativeFrame('u12', 64, 48), look, gif)).bytes,
      (await pool.render(nativeFrame('u12', 64, 48), { ...look, inverse: true }, gif)).bytes,
    ];
    const { mediaType, bytes } = await pool.animate(pictures, 40);
    expect([mediaType, (await sharp(bytes).metadata()).pages]).toEqual(['image/gif', 2]);
    // They were lent: a cache may have them too.
    expect(pictures.every((picture) => picture.length > 0)).toBe(true);
    await expectCode(pool.render(half, look, request), 'CORRUPT');
  });
});
