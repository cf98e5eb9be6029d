// What is done to an archive in one history, drawn from its seed before it begins: a list of steps that can be printed, cut and run again.
import type { CloudFault } from './cloud.js';
import type { DiskFault } from './disk.js';
import { STUDIES } from './samples.js';
import { Seeded } from './seeded.js';
import type { WorldOptions } from './world.js';

/** `await` of a call: whether the next step waits for its end. Numbers that point at something are taken modulo how much there is of it. */
export type Step =
  | {
      readonly do: 'store';
      readonly study: number;
      readonly from: number;
      readonly count: number;
      readonly other: boolean;
      readonly await: boolean;
    }
  | { readonly do: 'delete'; readonly study: number; readonly instance: number | null; readonly await: boolean }
  | { readonly do: 'read'; readonly study: number; readonly await: boolean }
  | { readonly do: 'migrate'; readonly study: number | null; readonly keepHot: boolean; readonly await: boolean }
  | { readonly do: 'recall' | 'hold' | 'release'; readonly study: number; readonly await: boolean }
  | { readonly do: 'scrub'; readonly deep: boolean; readonly await: boolean }
  | { readonly do: 'repair' | 'erase'; readonly await: boolean }
  | { readonly do: 'wait' | 'jump'; readonly ms: number }
  | { readonly do: 'restart' }
  | { readonly do: 'die'; readonly how: 'kill' | 'power'; readonly calls: number; readonly undone: boolean }
  | { readonly do: 'disk'; readonly at: number; readonly fault: DiskFault; readonly ms: number }
  | { readonly do: 'cloud'; readonly at: number; readonly fault: CloudFault; readonly ms: number }
  | { readonly do: 'index'; readonly fault: 'FULL' | 'UNAVAILABLE'; readonly ms: number }
  | { readonly do: 'threads'; readonly ms: number }
  | { readonly do: 'harm-object'; readonly way: 'lose' | 'flip'; readonly pick: number }
  | { readonly do: 'harm-file'; readonly pick: number }
  | { readonly do: 'lose-index' }
  | { readonly do: 'replace-disk'; readonly at: number }
  | { readonly do: 'fail-volume' | 'return-volume'; readonly at: number }
  | { readonly do: 'rotate'; readonly reseal: boolean; readonly await: boolean }
  | { readonly do: 'adopt'; readonly at: number; readonly await: boolean };

export interface Plan {
  readonly seed: number;
  readonly world: WorldOptions;
  readonly steps: readonly Step[];
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const WEIGHTS = {
  ...{ store: 30, delete: 8, read: 12, migrate: 8, recall: 4, scrub: 3, repair: 3, erase: 2, hold: 1, release: 1 },
  ...{ wait: 10, jump: 2, restart: 2, die: 9, disk: 8, cloud: 9, index: 1.5, threads: 1 },
  ...{
    'harm-object': 3,
    'harm-file': 2,
    'lose-index': 1.5,
    'replace-disk': 2,
    'fail-volume': 1,
    'return-volume': 1,
    adopt: 1,
    rotate: 2,
  },
};

export function planOf(seed: number): Plan {
  const luck = new Seeded(seed, 'plan');
  const clouds = luck.pick([2, 2, 3]);
  const quick = luck.chance(0.7);
  const world: WorldOptions = {
    seed,
    disks: luck.pick([1, 1, 2]),
    clouds,
    writeQuorum: 2,
    diskBytes: 500_000,
    policy: {
      settleMs: quick ? 5_000 : HOUR_MS,
      fileAfterMs: quick ? 20_000 : 3 * HOUR_MS,
      protectAfterMs: luck.pick([0, 30_000]),
      // Of a disk that has room for twice of everything: some archives evict what they can.
      ...luck.pick([{}, {}, { highWater: 0.05, lowWater: 0.02 }]),
      evictMinAgeMs: luck.pick([0, 60_000]),
      recall: luck.pick(['on-open', 'never']),
      moverIntervalMs: 20_000,
      probeIntervalMs: 10_000,
      garbageGraceMs: 6 * HOUR_MS,
      scrubEveryMs: luck.chance(0.2) ? HOUR_MS : null,
    },
  };
  const count = 8 + luck.below(28);
  const steps: Step[] = [
    { do: 'store', study: luck.below(STUDIES.length), from: 0, count: 3, other: false, await: true },
  ];
  while (steps.length < count) steps.push(...stepsOf(luck));
  return { seed, world, steps };
}

/** A disk that breaks is borne once what it holds is elsewhere, so that comes first; the operator's part some time after it. */
function stepsOf(luck: Seeded): readonly Step[] {
  const step = stepOf(luck);
  if (step.do !== 'replace-disk') return [step];
  const first: Step = { do: 'migrate', study: null, keepHot: luck.chance(0.8), await: true };
  const wait: Step = { do: 'wait', ms: luck.pick([100, 15_000, MINUTE_MS]) };
  return [first, step, wait, { do: 'adopt', at: step.at, await: luck.chance(0.5) }];
}

function stepOf(luck: Seeded): Step {
  const kind = luck.weighted(WEIGHTS);
  // Two in three are about the same two studies: things have to meet to collide.
  const study = luck.chance(0.66) ? luck.below(2) : luck.below(STUDIES.length);
  const wait = { await: luck.chance(0.5) };
  const ms = luck.pick([2_000, 15_000, MINUTE_MS, 5 * MINUTE_MS]);
  switch (kind) {
    case 'store':
      return { do: kind, study, from: luck.below(5), count: 1 + luck.below(4), other: luck.chance(0.1), ...wait };
    case 'delete':
      return { do: kind, study, instance: luck.chance(0.5) ? luck.below(5) : null, ...wait };
    case 'migrate':
      return { do: kind, study: luck.chance(0.6) ? study : null, keepHot: luck.chance(0.3), ...wait };
    case 'read':
    case 'recall':
    case 'hold':
    case 'release':
      return { do: kind, study, ...wait };
    case 'scrub':
      return { do: kind, deep: luck.chance(0.7), ...wait };
    case 'repair':
    case 'erase':
      return { do: kind, ...wait };
    case 'wait':
      return { do: kind, ms: luck.pick([100, 2_000, 30_000, 2 * MINUTE_MS]) };
    case 'jump':
      return { do: kind, ms: luck.pick([-3, 1, 25, 35 * 24]) * HOUR_MS };
    case 'die':
      return {
        do: kind,
        how: luck.pick(['kill', 'power']),
        calls: 1 + luck.below(luck.pick([3, 20, 80])),
        undone: luck.chance(0.5),
      };
    case 'disk':
      return {
        do: kind,
        at: luck.below(2),
        fault: luck.pick(['erring', 'full', 'read-only', 'hung', 'slow', 'gone']),
        ms,
      };
    case 'cloud':
      return {
        do: kind,
        at: luck.below(3),
        fault: luck.pick(['down', 'slow', 'brown-out', 'lying', 'refusing', 'no-deletes']),
        ms,
      };
    case 'index':
      return { do: kind, fault: luck.pick(['FULL', 'UNAVAILABLE']), ms: luck.pick([50, 2_000, 15_000]) };
    case 'threads':
      return { do: kind, ms: 2_000 };
    case 'harm-object':
      return { do: kind, way: luck.pick(['lose', 'flip']), pick: luck.next() };
    case 'harm-file':
      return { do: kind, pick: luck.next() };
    case 'rotate':
      return { do: kind, reseal: luck.chance(0.3), ...wait };
    case 'adopt':
      return { do: kind, at: luck.below(2), ...wait };
    case 'replace-disk':
    case 'fail-volume':
    case 'return-volume':
      return { do: kind, at: luck.below(2) };
    case 'restart':
    case 'lose-index':
      return { do: kind };
  }
}
