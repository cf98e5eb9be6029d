// What the parts of the Index contract share: a fresh index for each test, and short ways to fill and read it.
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach } from 'vitest';
import type { ArrivedInstance, Index, Scope } from '../../tiering/index/index.js';
import { arrival, packId, type Sample } from './index-samples.js';

/** A fresh, empty index for each call. */
export interface IndexFixture {
  readonly index: Index;
  /** Closes what is open and opens the same index again. */
  reopen(): Promise<Index>;
  dispose(): Promise<void>;
}

export type IndexFactory = () => Promise<IndexFixture>;

export const SEED = Number(process.env['SEED'] ?? 20_261_121);
/** A failure is made smaller for this long; then what was found is shown, with its seed. */
export const SHRINKING = { interruptAfterTimeLimit: 90_000, markInterruptAsFailure: true };
export const inflate = (gzip: Uint8Array) => gunzipSync(gzip).toString('utf8');

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The metadata objects of a scope, as the consumer of the parts puts them together. */
export async function metadataTexts(index: Index, scope: Scope): Promise<string[]> {
  const texts: string[] = [];
  for await (const part of index.metadata(scope)) {
    const text = gunzipSync(part.gzip);
    const pieces = part.picks === null ? [text] : part.picks.map(({ start, end }) => text.subarray(start, end));
    for (const piece of pieces) {
      const objects = JSON.parse(`[${piece.toString('utf8')}]`) as unknown[];
      texts.push(...objects.map((one) => JSON.stringify(one)));
    }
  }
  return texts;
}

export async function commit(index: Index, ...samples: readonly Omit<Sample, 'pack'>[]): Promise<ArrivedInstance[]> {
  const instances = samples.map((sample) => arrival({ ...sample, pack: 1 }));
  await index.commitArrivals({ pack: packId(1), indexedTo: 1_000_000, instances });
  return instances;
}

/** The QIDO answers of everything, byte for byte. */
export async function dump(index: Index): Promise<string> {
  const all = { matches: [], fuzzy: false, limit: 1_000, offset: 0, include: [] } as const;
  const pages = [];
  for (const level of ['study', 'series', 'instance'] as const) pages.push(await index.query({ ...all, level }));
  return JSON.stringify(pages.map((page) => page.rows.map(({ online: _online, ...row }) => row)));
}

/** The fixture of each test, made before and disposed of after it. */
export function useIndex(factory: IndexFactory): () => Index {
  let fixture: IndexFixture;
  beforeEach(async () => {
    fixture = await factory();
  });
  afterEach(async () => fixture.dispose());
  return () => fixture.index;
}
