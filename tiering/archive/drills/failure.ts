// The failures that are rehearsed, each by a mechanism that is there anyway: how it begins, whether it is noticed, how it ends.
import { ArchiveError, hasCode } from '../../core/errors.js';
import { parseVolumeName, type ReplicaName } from '../../core/ids.js';
import { CONFIG_NAME } from '../../format/names.js';
import type { VolumeExposure } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { exposureOf, failVolume, returnVolume } from '../volumes/volume-override.js';
import type { DrillKind, DrillReport } from './drill-report.js';

export interface RehearsedFailure {
  /** Whether what is on replicas alone can be read meanwhile. */
  readonly keepsCold: boolean;
  begin(): Promise<void>;
  /** Whether the archive has noticed. */
  noticed(): boolean;
  /** Idempotent; also after a kill. */
  end(): Promise<void>;
  /** Whether it is as before. */
  mended(): Promise<boolean>;
  /** What cannot be read meanwhile; null where nothing is taken away. */
  exposed(): Promise<VolumeExposure | null>;
  /** What would be lost if it were for good. */
  atStake(): Promise<DrillReport['rpo']>;
}

/** A brown-out: every answer comes so much later, and no more than this comes through. */
const SLOW_MS = 1_000;
const SLOW_BYTES_PER_SECOND = 1024 * 1024;

export function volumeFailure(ctx: ArchiveContext, text: string): RehearsedFailure {
  const name = parseVolumeName(text);
  const state = () => ctx.volumes.state().find((one) => one.name === name)?.state;
  return {
    keepsCold: true,
    begin: () => failVolume(ctx, name),
    noticed: () => state() === 'failed',
    end: async () => {
      await returnVolume(ctx, name);
    },
    mended: () => Promise.resolve(isInUse(ctx, name)),
    exposed: () => exposureOf(ctx, name),
    atStake: async () => {
      const { instances, bytes } = await exposureOf(ctx, name);
      const { unprotected } = await ctx.index.status(ctx.replicas.rule.data);
      return { instances, bytes, oldestAgeSeconds: instances === 0 ? null : ageOf(ctx, unprotected.oldestArrivedMs) };
    },
  };
}

/** Nothing comes from these replicas. @param kind `away`: they refuse; `cut`: nothing comes back. */
export function awayFailure(
  ctx: ArchiveContext,
  names: readonly ReplicaName[],
  kind: 'away' | 'cut',
): RehearsedFailure {
  const up = () => ctx.replicas.state().filter(({ name, state }) => names.includes(name) && state === 'available');
  return {
    keepsCold: ctx.replicas.names.some((name) => !names.includes(name)),
    begin: () => rehearse(ctx, names, { kind }),
    noticed: () => up().length === 0,
    end: () => rehearse(ctx, names, null),
    mended: async () => up().length === names.length && (await allAnswer(ctx, names)),
    exposed: () => aloneOn(ctx, names),
    atStake: async () => {
      const { instances, bytes } = await aloneOn(ctx, names);
      return { instances, bytes, oldestAgeSeconds: null };
    },
  };
}

/** These replicas answer late, and little comes through. */
export function brownOut(ctx: ArchiveContext, names: readonly ReplicaName[]): RehearsedFailure {
  return {
    keepsCold: true,
    begin: () => rehearse(ctx, names, { kind: 'thin', delayMs: SLOW_MS, bytesPerSecond: SLOW_BYTES_PER_SECOND }),
    noticed: () =>
      ctx.replicas.state().some(({ name, state, latencyMs }) => {
        return names.includes(name) && (state !== 'available' || (latencyMs ?? 0) > SLOW_MS / 2);
      }),
    end: () => rehearse(ctx, names, null),
    mended: () => allAnswer(ctx, names),
    exposed: () => Promise.resolve(null),
    // Slow loses nothing.
    atStake: () => Promise.resolve({ instances: 0, bytes: 0, oldestAgeSeconds: null }),
  };
}

function rehearse(
  ctx: ArchiveContext,
  names: readonly ReplicaName[],
  fault: Parameters<typeof ctx.replicas.rehearse>[1],
): Promise<void> {
  for (const name of names) ctx.replicas.rehearse(name, fault);
  return Promise.resolve();
}

async function allAnswer(ctx: ArchiveContext, names: readonly ReplicaName[]): Promise<boolean> {
  return (await Promise.all(names.map((name) => answers(ctx, name)))).every(Boolean);
}

async function answers(ctx: ArchiveContext, name: ReplicaName): Promise<boolean> {
  try {
    await ctx.replicas.store(name).head(CONFIG_NAME);
    return true;
  } catch (error) {
    if (hasCode(error, 'UNAVAILABLE')) return false;
    throw error;
  }
}

/** What lies on these replicas and nowhere else. */
async function aloneOn(ctx: ArchiveContext, names: readonly ReplicaName[]): Promise<VolumeExposure> {
  let packs = 0;
  let instances = 0;
  let bytes = 0;
  for await (const record of ctx.index.packs({ hot: ['cold', 'missing'], placementsMin: 1, empty: false })) {
    if (record.placements.some(({ replica }) => !names.includes(replica))) continue;
    packs += 1;
    instances += record.liveInstances;
    bytes += record.bytes;
  }
  return { packs, instances, bytes };
}

function ageOf(ctx: ArchiveContext, oldestMs: number | null): number | null {
  return oldestMs === null ? null : Math.max(0, Math.round((ctx.clock.nowMs() - oldestMs) / 1000));
}

/** What speaks against a drill now. */
export function objectionsTo(ctx: ArchiveContext, what: DrillKind, exposed: VolumeExposure | null): readonly string[] {
  const down = [
    ...ctx.volumes.state().flatMap(({ name, state }) => (isInUse(ctx, name) ? [] : [`volume ${name} is ${state}`])),
    ...ctx.replicas
      .state()
      .flatMap(({ name, state }) => (state === 'available' ? [] : [`replica ${name} is ${state}`])),
  ];
  const alone = exposed?.instances ?? 0;
  if (alone === 0) return down;
  const why =
    what === 'volume'
      ? 'are not protected and could not be read meanwhile (filmroom migrate --all --keep-hot first)'
      : 'are on no volume and on no other replica, and could not be read meanwhile (filmroom recall first, or a drill of one replica)';
  return [...down, `${alone} instances ${why}`];
}

/** It takes reads and writes, if slowly. */
export function isInUse(ctx: ArchiveContext, name: string): boolean {
  const state = ctx.volumes.state().find((one) => one.name === name)?.state;
  return state === 'healthy' || state === 'slow';
}

export function mustBeKnown(kind: string, name: string | undefined, known: readonly string[]): string {
  if (name !== undefined && known.includes(name)) return name;
  throw new ArchiveError('INVALID', `a drill of a ${kind} needs its name, one of: ${known.join(', ')}`);
}
