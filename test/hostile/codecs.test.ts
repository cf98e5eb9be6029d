// Damaged and lying streams of every family, in the threads that would meet them: the answer is a picture of the size that was
// described or an ArchiveError, never a crash or a hang, and the next frame is decoded as if nothing had been.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODECS } from '../../dicom/codecs/codec-table.js';
import type { Frame } from '../../dicom/codecs/frame.js';
import { decodeFrame, transcode } from '../../dicom/codecs/transcode.js';
import { Prng } from '../../dicom/phantom/prng.js';
import { EXPLICIT_LITTLE } from '../../dicom/transfer-syntax.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { createPixelPool, type PixelPool } from '../../workers/pixel-pool.js';
import { nativeFrame } from '../support/frames.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() & 0x7fffffff);
const FAMILIES = CODECS.filter((row) => row.encodes && row.syntax !== EXPLICIT_LITTLE).map((row) => row.syntax);
const MARKED = FAMILIES.filter((syntax) => syntax.startsWith('1.2.840.10008.1.2.4.'));
const END = Buffer.of(0xff, 0xd9);

async function sample(syntax: string): Promise<Frame> {
  return await transcode(nativeFrame('u8', 40, 48, 7), syntax);
}

/** What became of a frame: `decoded` only when it is of the size that its description says. */
async function outcomeOf(work: Promise<Frame>): Promise<string> {
  try {
    const { bytes, pixels } = await work;
    return bytes.length === pixels.rows * pixels.columns * pixels.samplesPerPixel ? 'decoded' : 'of another size';
  } catch (error) {
    return error instanceof ArchiveError ? error.code : String(error);
  }
}

function mutated(bytes: Uint8Array, prng: Prng): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const times = 1 + prng.below(6);
  // Half of them in the header, where a flip lies about sizes.
  const reach = prng.below(2) === 0 ? Math.min(copy.length, 120) : copy.length;
  for (let time = 0; time < times; time += 1) {
    const at = prng.below(reach);
    copy[at] = prng.below(3) === 0 ? prng.below(256) : (copy[at] as number) ^ (1 << prng.below(8));
  }
  return copy;
}

describe('cut streams', () => {
  it.each(FAMILIES)(
    '%s is refused wherever it is cut',
    async (syntax) => {
      const frame = await sample(syntax);
      for (let end = 0; end < frame.bytes.length - 2; end += 1 + Math.floor(frame.bytes.length / 40)) {
        const outcome = await outcomeOf(decodeFrame({ ...frame, bytes: frame.bytes.slice(0, end) }));
        expect([end, outcome]).toEqual([end, 'CORRUPT']);
      }
    },
    120_000,
  );

  it.each(MARKED)(
    '%s is refused wherever it is cut and given an end again',
    async (syntax) => {
      const frame = await sample(syntax);
      // Where tile-parts begin nothing is left unfinished but their number.
      const ends = Array.from({ length: 40 }, (_, at) => Math.floor(((frame.bytes.length - 40) * at) / 40));
      for (let at = 0; ; at += 1) {
        at = Buffer.from(frame.bytes).indexOf(Buffer.of(0xff, 0x90), at);
        if (at < 0) break;
        ends.push(at);
      }
      for (const end of ends) {
        const bytes = Buffer.concat([frame.bytes.slice(0, end), END]);
        const outcome = await outcomeOf(decodeFrame({ ...frame, bytes }));
        expect([end, outcome]).toEqual([end, 'CORRUPT']);
      }
    },
    120_000,
  );
});

describe('lying streams', () => {
  it.each(MARKED)('%s of another size, depth or number of samples than the instance is refused', async (syntax) => {
    const frame = await sample(syntax);
    const { pixels } = frame;
    for (const wrong of [
      { rows: 41 },
      { columns: 47 },
      { rows: pixels.columns, columns: pixels.rows },
      { samplesPerPixel: 3, photometric: 'RGB' },
    ]) {
      expect(await outcomeOf(decodeFrame({ ...frame, pixels: { ...pixels, ...wrong } }))).toBe('CORRUPT');
    }
    const deep = { ...(await transcodedDeep(syntax)), pixels };
    if (deep.bytes.length > 0) expect(await outcomeOf(decodeFrame(deep))).toBe('CORRUPT');
  });
});

/** A stream of 12 bits, where the syntax has them. */
async function transcodedDeep(syntax: string): Promise<Frame> {
  const frame = nativeFrame('u12', 40, 48);
  return transcode(frame, syntax).catch(() => ({ ...frame, syntax, bytes: new Uint8Array() }));
}

describe('damaged streams', () => {
  let pool: PixelPool;
  beforeAll(() => {
    pool = createPixelPool({ threads: 1, taskTimeoutMs: 10_000 });
  });
  afterAll(() => pool.close());

  it.each(FAMILIES)(
    `%s never ends the process, hangs, or gives a picture of another size (seed ${seed})`,
    async (syntax) => {
      const frame = await sample(syntax);
      const truth = await decodeFrame(frame);
      const prng = new Prng(seed);
      const outcomes = new Map<string, number>();
      for (let round = 0; round < 100; round += 1) {
        const bytes = mutated(frame.bytes, prng);
        const outcome = await outcomeOf(pool.transcode({ ...frame, bytes }, EXPLICIT_LITTLE));
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      expect([...outcomes.keys()].filter((key) => !['decoded', 'CORRUPT', 'NOT_SUPPORTED'].includes(key))).toEqual([]);
      const again = await pool.transcode({ ...frame, bytes: Uint8Array.from(frame.bytes) }, EXPLICIT_LITTLE);
      expect(Buffer.from(again.bytes).equals(truth.bytes)).toBe(true);
    },
    120_000,
  );
});
