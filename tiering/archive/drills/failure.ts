// The failures that are rehearsed, each by a mechanism that is there anyway: how it begins, whether it is noticed, how it ends.
import { ArchiveError, hasCode } from '../../core/errors.js';
import { parseReplicaName, parseVolumeName, type ReplicaName } from '../../core/ids.js';
import { CONFIG_NAME } from '../../format/names.js';
import type { VolumeExposure } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { exposureOf, failVolume, returnVolume } from '../volumes/volume-override.js';
import type { DrillReport } from './drill-report.js';

export interface RehearsedFailure {
  begin(): Promise<void>;
  /** Whether the archive has noticed. */
  noticed(): boolean;
  /** Idempotent; also after a kill. */
  end(): Promise<void>;
  /** Whether it is as before. */
  mended(): Promise<boolean>;
  /** What would be lost if it were for good. */
  atStake(): Promise<DrillReport['rpo']>;
}

/** How much later every answer of a replica comes. */
const SLOW_MS = 1_000;

export function volumeFailure(ctx: ArchiveContext, text: string): RehearsedFailure {
  const name = parseVolumeName(text);
  const state = () => ctx.volumes.state().find((one) => one.name === name)?.state;
  return {
    begin: () => failVolume(ctx, name),
    noticed: () => state() === 'failed',
    end: async () => {
      await returnVolume(ctx, name);
    },
    mended: () => Promise.resolve(isInUse(ctx, name)),
    atStake: async () => {
      const { instances, bytes } = await exposureOf(ctx, name);
      const { unprotected } = await ctx.index.status(ctx.replicas.rule.data);
      return { instances, bytes, oldestAgeSeconds: instances === 0 ? null : ageOf(ctx, unprotected.oldestArrivedMs) };
    },
  };
}

export function replicaFailure(ctx: ArchiveContext, text: string): RehearsedFailure {
  const name = parseReplicaName(text);
  const available = () => ctx.replicas.state().find((one) => one.name === name)?.state === 'available';
  return {
    begin: () => Promise.resolve(ctx.replicas.rehearse(name, { kind: 'away' })),
    noticed: () => !available(),
    end: () => Promise.resolve(ctx.replicas.rehearse(name, null)),
    mended: async () => available() && (await answers(ctx, name)),
    atStake: () => aloneOn(ctx, name),
  };
}

/** @param names all of them, or one. */
export function linkFailure(ctx: ArchiveContext, names: readonly ReplicaName[]): RehearsedFailure {
  const each = (fault: Parameters<typeof ctx.replicas.rehearse>[1]) => {
    for (const name of names) ctx.replicas.rehearse(name, fault);
    return Promise.resolve();
  };
  return {
    begin: () => each({ kind: 'slow', delayMs: SLOW_MS }),
    noticed: () =>
      ctx.replicas.state().some(({ name, state, latencyMs }) => {
        return names.includes(name) && (state !== 'available' || (latencyMs ?? 0) > SLOW_MS / 2);
      }),
    end: () => each(null),
    mended: async () => (await Promise.all(names.map((name) => answers(ctx, name)))).every(Boolean),
    // Slow loses nothing.
    atStake: () => Promise.resolve({ instances: 0, bytes: 0, oldestAgeSeconds: null }),
  };
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

/** What lies on this replica and nowhere else. */
async function aloneOn(ctx: ArchiveContext, name: ReplicaName): Promise<DrillReport['rpo']> {
  let instances = 0;
  let bytes = 0;
  for await (const record of ctx.index.packs({ placedOn: name, hot: ['cold', 'missing'], empty: false })) {
    if (record.placements.some(({ replica }) => replica !== name)) continue;
    instances += record.liveInstances;
    bytes += record.bytes;
  }
  return { instances, bytes, oldestAgeSeconds: null };
}

function ageOf(ctx: ArchiveContext, oldestMs: number | null): number | null {
  return oldestMs === null ? null : Math.max(0, Math.round((ctx.clock.nowMs() - oldestMs) / 1000));
}

/** What speaks against a drill now. */
export function objectionsTo(ctx: ArchiveContext, exposed: VolumeExposure | null): readonly string[] {
  const down = [
    ...ctx.volumes.state().flatMap(({ name, state }) => (isInUse(ctx, name) ? [] : [`volume ${name} is ${state}`])),
    ...ctx.replicas
      .state()
      .flatMap(({ name, state }) => (state === 'available' ? [] : [`replica ${name} is ${state}`])),
  ];
  const alone = exposed?.instances ?? 0;
  return [
    ...down,
    ...(alone === 0
      ? []
      : [
          `${alone} instances are not protected and could not be read meanwhile (filmroom migrate --all --keep-hot first)`,
        ]),
  ];
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
