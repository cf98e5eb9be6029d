// How every claim is measured: the product and what it is compared with take turns within one run, on the same machine
// in the same minutes, and the figure is the median of the ratios of each turn. Megabytes a second are not compared across runs.

/** One turn; resolves with what it achieved (a rate) or took (a time). */
export type Turn = (round: number) => Promise<number>;

/** A product's figure beside that of one reference. */
export interface Figure {
  /** What is claimed, in words. */
  readonly claim: string;
  /** What it is compared with. */
  readonly against: string;
  readonly unit: string;
  /** Of each round, in its order. */
  readonly ours: readonly number[];
  readonly reference: readonly number[];
  /** Ours over the reference's, median of the rounds' ratios. */
  readonly ratio: number;
  readonly target: Target | null;
}

/** What the ratio should at least (a rate) or at most (a time) be. */
export interface Target {
  readonly kind: 'at least' | 'at most';
  readonly ratio: number;
}

export const atLeast = (ratio: number): Target => ({ kind: 'at least', ratio });
export const atMost = (ratio: number): Target => ({ kind: 'at most', ratio });

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('the median of nothing');
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/**
 * Gives each contender its turn in every round. Who begins rotates, so that a drift of the machine (a warming cache, a neighbour's
 * build) falls on all of them. No round begins once `budgetMs` have passed, but there are at least two.
 */
export async function takeTurns<K extends string>(
  rounds: number,
  contenders: Readonly<Record<K, Turn>>,
  budgetMs = 20_000,
): Promise<Readonly<Record<K, readonly number[]>>> {
  const names = Object.keys(contenders) as K[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as unknown as Record<K, number[]>;
  const began = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    if (round >= 2 && performance.now() - began > budgetMs) break;
    for (let at = 0; at < names.length; at += 1) {
      const name = names[(at + round) % names.length];
      if (name !== undefined) samples[name].push(await contenders[name](round));
    }
  }
  return samples;
}

export function compare(
  words: Pick<Figure, 'claim' | 'against' | 'unit' | 'target'>,
  ours: readonly number[],
  reference: readonly number[],
): Figure {
  const ratios = ours.map((value, round) => value / (reference[round] ?? Number.NaN));
  return { ...words, ours, reference, ratio: median(ratios) };
}

export function isMet({ ratio, target }: Figure): boolean | null {
  if (target === null) return null;
  return target.kind === 'at least' ? ratio >= target.ratio : ratio <= target.ratio;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** How often a second something happened that was done `count` times in `ms`. */
export function perSecond(count: number, ms: number): number {
  return (count * 1000) / ms;
}
