// The hot tier as a whole: which volumes there are, which of them may be read, and where new bytes go (DESIGN section 9). How one of them
// does is member.ts.
import type { Standby } from '../../cold/replicas/guarded-replica.js';
import { ArchiveError } from '../../core/errors.js';
import type { VolumeName } from '../../core/ids.js';
import { PACK_BYTES_MAX, VOLUME_RESERVE_SHARE } from '../../core/limits.js';
import type { Vacancy } from '../../hot/vacancy.js';
import type { Volume, VolumeUsage } from '../../hot/volume.js';
import { Member, type VolumeHooks, type VolumeSource, type VolumeView } from './member.js';

export type { VolumeHooks, VolumeSource } from './member.js';

/** A reader who could have it from the replicas waits so long for a volume; and so long for one that is known not to be well. */
const PATIENCE_MS = 1_000;
const PATIENCE_SLOW_MS = 100;
/** Arrivals wait so long for the probe of the volume that failed them: it may hang as they did. */
const SETTLED_MS = 1_000;

export class VolumeSet {
  readonly #members: readonly Member[];
  readonly #hooks: VolumeHooks;

  constructor(sources: readonly VolumeSource[], hooks: VolumeHooks) {
    this.#hooks = hooks;
    this.#members = sources.map((source) => new Member(source, hooks));
  }

  get names(): readonly VolumeName[] {
    return this.#members.map(({ name }) => name);
  }

  /** Opens every volume that can be opened. Never rejects for one that cannot: FOREIGN and LOCKED do, they are mistakes. */
  async open(): Promise<void> {
    const opened: { readonly member: Member; readonly volume: Volume }[] = [];
    for (const member of this.#members) {
      if (member.health.out) continue;
      const volume = await member.open();
      if (volume !== null) opened.push({ member, volume });
    }
    // Only now: what one volume says to be deleted may lie in a tray of another.
    for (const { member, volume } of opened) await member.serve(volume);
  }

  #member(name: VolumeName): Member | undefined {
    return this.#members.find((member) => member.name === name);
  }

  /** The volume, if it can be read now. */
  readable(name: VolumeName): Volume | null {
    const member = this.#member(name);
    return member?.health.readable === true ? member.volume : null;
  }

  /**
   * A failed volume that is still in its place: a disk that turned read-only reads as before. Asked only for what nobody else has, and
   * never waited for: what it answers is no proof that it is well.
   */
  lastResort(name: VolumeName): Volume | null {
    const member = this.#member(name);
    return member?.health.readable === false ? member.volume : null;
  }

  /** It is away, out of use, or does not work; one that is being taken back in is not. */
  hasFailed(name: VolumeName): boolean {
    return this.#member(name)?.health.state === 'failed';
  }

  /** Volumes that can be listed and read now. */
  readables(): readonly Volume[] {
    return this.#members.flatMap(({ health, volume }) => (health.readable && volume !== null ? [volume] : []));
  }

  /**
   * The healthy volume with most free space that has room for `bytes`; a slow one only when none is healthy; or null.
   * @param intoReserve recalls, the packer and deletes may use the reserve, arrivals may not.
   */
  writable(bytes: number, intoReserve = false): Volume | null {
    return this.#best(bytes, intoReserve)?.volume ?? null;
  }

  /** Whether this volume has room for `bytes` more and none does better: a tray stays where it is as long as it can. */
  canTake(name: VolumeName, bytes: number, intoReserve: boolean): boolean {
    const member = this.#member(name);
    if (member === undefined || !hasRoom(member, bytes, intoReserve)) return false;
    return member.health.state === 'healthy' || this.#best(bytes, intoReserve)?.health.state !== 'healthy';
  }

  #best(bytes: number, intoReserve: boolean): Member | null {
    let best: Member | null = null;
    for (const member of this.#members) {
      if (!hasRoom(member, bytes, intoReserve)) continue;
      if (best === null || isBetter(member, best)) best = member;
    }
    return best;
  }

  /** Whether some volume that can be written to exists at all: with one, a lack of room is FULL, not a reason to go to the cloud. */
  anyWritable(): boolean {
    return this.#members.some(({ health }) => health.writable);
  }

  /** How long, in milliseconds, a reader waits for the volume before the replicas are asked as well. */
  patienceMs(name: VolumeName): number {
    return this.#member(name)?.health.state === 'healthy' ? PATIENCE_MS : PATIENCE_SLOW_MS;
  }

  /** Tells of a read that was not over within the patience. Returns at once. */
  lags(name: VolumeName): void {
    this.#member(name)?.lags(PATIENCE_MS);
  }

  /** Tells of an error that a call on this volume gave. Returns at once; a probe decides what it means. */
  report(name: VolumeName, error: unknown): void {
    this.#member(name)?.report(error);
  }

  /** Out of use until `takeIn`, and let go of, so that its disk can be changed. What reads from it goes on elsewhere. */
  async takeOut(name: VolumeName): Promise<void> {
    await this.#member(name)?.takeOut();
  }

  /** Looks at it at once, and uses it if it is well. */
  async takeIn(name: VolumeName): Promise<void> {
    await this.#member(name)?.takeIn();
  }

  /** As Member.vacancy; INVALID for one that is not configured, here and below. */
  async vacancy(name: VolumeName): Promise<Vacancy> {
    return this.#configured(name).vacancy();
  }

  /** As Member.adopt. */
  async adopt(name: VolumeName, giveUp: () => Promise<void>): Promise<void> {
    await this.#configured(name).adopt(giveUp);
  }

  #configured(name: VolumeName): Member {
    const member = this.#member(name);
    if (member !== undefined) return member;
    throw new ArchiveError('INVALID', `the server has no volume ${name}; it has: ${this.names.join(', ')}`);
  }

  /** Resolves once a reported error of this volume was looked into, after a second at the latest. Never rejects. */
  async settled(name: VolumeName): Promise<void> {
    const probing = this.#member(name)?.probing ?? null;
    if (probing === null) return;
    const enough = new AbortController();
    await Promise.race([probing, this.#hooks.clock.sleep(SETTLED_MS, enough.signal).catch(() => undefined)]);
    enough.abort();
  }

  /** Probes every volume once and refreshes what is known of its space. Never rejects. */
  async probe(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.probe()));
  }

  state(): readonly VolumeView[] {
    return this.#members.map((member) => member.view());
  }

  /** Whether each can be waited for. */
  standbys(): ReadonlyMap<VolumeName, Standby> {
    return new Map(
      this.#members.map(({ name, health, returns }) => [name, { state: health.writable ? 'well' : 'away', returns }]),
    );
  }

  async close(): Promise<void> {
    for (const member of this.#members) await member.close();
  }
}

function hasRoom({ health, volume, usage }: Member, bytes: number, intoReserve: boolean): boolean {
  if (!health.writable || volume === null || usage === null) return false;
  return usage.bytesFree - (intoReserve ? 0 : reserve(usage)) >= bytes;
}

/** A healthy one before a slow one, then the one with more room. */
function isBetter(one: Member, than: Member): boolean {
  const healthy = one.health.state === 'healthy';
  if (healthy !== (than.health.state === 'healthy')) return healthy;
  return (one.usage?.bytesFree ?? 0) > (than.usage?.bytesFree ?? 0);
}

/** Bytes of a volume that arrivals may not use. */
function reserve(usage: VolumeUsage): number {
  // Two packs, but never more than a tenth: a small volume is not all reserve.
  const packs = Math.min(2 * PACK_BYTES_MAX, usage.bytesTotal / 10);
  return Math.max(packs, usage.bytesTotal * VOLUME_RESERVE_SHARE);
}
