// What the operator has decided of a volume: that it is out of use, as if it had failed, until it is taken back in. Kept in the index, so
// that a restart changes nothing about it.
import { ArchiveError } from '../../core/errors.js';
import type { VolumeName } from '../../core/ids.js';
import type { VolumeExposure, VolumeState } from '../archive.js';
import type { ArchiveContext } from '../context.js';

const keyOf = (name: VolumeName) => `volume.${name}.out`;

/** Before the volumes are opened: those that are out are not. */
export async function loadOverrides(ctx: ArchiveContext): Promise<void> {
  for (const name of ctx.volumes.names) {
    if (((await ctx.index.setting(keyOf(name))) ?? '') !== '') await ctx.volumes.takeOut(name);
  }
}

/** As Archive.failVolume. */
export async function failVolume(ctx: ArchiveContext, name: VolumeName): Promise<void> {
  mustBeConfigured(ctx, name);
  await ctx.index.setSetting(keyOf(name), 'yes');
  await ctx.index.commitDurable();
  await ctx.volumes.takeOut(name);
  ctx.log({ level: 'warn', event: 'volume-taken-out', detail: name });
}

/** It may be used again, durably: with everything that was written to the index before. */
export async function takeOverride(ctx: ArchiveContext, name: VolumeName): Promise<void> {
  await ctx.index.setSetting(keyOf(name), '');
  await ctx.index.commitDurable();
}

/** As Archive.returnVolume. */
export async function returnVolume(ctx: ArchiveContext, name: VolumeName): Promise<VolumeState> {
  mustBeConfigured(ctx, name);
  await takeOverride(ctx, name);
  await ctx.volumes.takeIn(name);
  const state = ctx.volumes.state().find((one) => one.name === name)?.state ?? 'failed';
  ctx.log({ level: 'info', event: 'volume-taken-in', detail: `${name}: ${state}` });
  return state;
}

/** As Archive.exposure. */
export async function exposureOf(ctx: ArchiveContext, name: VolumeName): Promise<VolumeExposure> {
  mustBeConfigured(ctx, name);
  let packs = 0;
  let instances = 0;
  let bytes = 0;
  for await (const record of ctx.index.packs({ volume: name, hot: ['present', 'open'], empty: false })) {
    if (ctx.replicas.rule.isMet(record.placements.map(({ replica }) => replica))) continue;
    packs += 1;
    instances += record.liveInstances;
    bytes += record.bytes;
  }
  return { packs, instances, bytes };
}

/** INVALID for a name that the configuration does not have. */
export function mustBeConfigured(ctx: ArchiveContext, name: VolumeName): void {
  if (ctx.volumes.names.includes(name)) return;
  throw new ArchiveError('INVALID', `the server has no volume ${name}; it has: ${ctx.volumes.names.join(', ')}`);
}
