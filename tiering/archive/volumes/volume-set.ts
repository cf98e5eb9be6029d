// The hot tier as a whole: which volumes there are, how each one does, and where new bytes go.
// A volume's state follows from the results of real calls and of a probe (DESIGN section 9); a
// volume that could not be opened is opened again when its probe comes round.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { VolumeName } from '../../core/ids.js';
import { PACK_BYTES_MAX, VOLUME_RESERVE_SHARE } from '../../core/limits.js';
import type { Volume, VolumeUsage } from '../../hot/volume.js';
import type { VolumeState } from '../archive.js';

export interface VolumeSource {
  readonly name: VolumeName;
  /** Opens it, or rejects: UNAVAILABLE when it is missing, FOREIGN when it is another archive's. */
  readonly open: () => Promise<Volume>;
}

/** How a volume is taken back in before it is used again. */
export interface VolumeHooks {
  /** Reads what its trays say of deletes; of every volume before the arrivals of any. */
  readonly onDeletes: (volume: Volume) => Promise<void>;
  /** Recovers its trays. */
  readonly onReturn: (volume: Volume) => Promise<void>;
}

interface Member {
  readonly source: VolumeSource;
  volume: Volume | null;
  state: VolumeState;
  detail: string | null;
  usage: VolumeUsage | null;
  goodProbes: number;
  probing: Promise<void> | null;
  /** Taken out of use by the operator: not looked at until it is taken in. */
  out: boolean;
}

const TAKEN_OUT = 'taken out of use by the operator (filmroom volume return takes it back in)';
/** Two good probes in a row make a failed volume return, so that one that flaps is not trusted at once. */
const GOOD_PROBES_TO_RETURN = 2;

export class VolumeSet {
  readonly #members: Member[];
  readonly #hooks: VolumeHooks;

  constructor(sources: readonly VolumeSource[], hooks: VolumeHooks) {
    this.#hooks = hooks;
    this.#members = sources.map((source) => ({
      source,
      volume: null,
      state: 'failed',
      detail: 'not opened yet',
      usage: null,
      goodProbes: 0,
      probing: null,
      out: false,
    }));
  }

  get names(): readonly VolumeName[] {
    return this.#members.map((m) => m.source.name);
  }

  /** Opens every volume that can be opened. Never rejects for one that cannot: FOREIGN and LOCKED do, they are mistakes. */
  async open(): Promise<void> {
    const opened: { readonly member: Member; readonly volume: Volume }[] = [];
    for (const member of this.#members) {
      if (member.out) continue;
      await this.#attempt(member, async () => {
        const volume = await member.source.open();
        member.volume = volume;
        await this.#hooks.onDeletes(volume);
        opened.push({ member, volume });
      });
    }
    // Only now: what one volume says to be deleted may lie in a tray of another.
    for (const { member, volume } of opened) {
      await this.#attempt(member, async () => {
        await this.#hooks.onReturn(volume);
        member.usage = await volume.usage();
        this.#healthy(member);
      });
    }
  }

  #member(name: VolumeName): Member | undefined {
    return this.#members.find((m) => m.source.name === name);
  }

  async #attempt(member: Member, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const code = codeOf(error);
      if (code === 'FOREIGN' || code === 'LOCKED' || code === 'INTERNAL') throw error;
      this.#failed(member, error);
    }
  }

  /** The volume, if it can be read now. */
  readable(name: VolumeName): Volume | null {
    const member = this.#member(name);
    return member === undefined || member.state === 'failed' ? null : member.volume;
  }

  /**
   * A failed volume that is still in its place: a disk that turned read-only reads as before. Asked only for what nobody else has, and
   * never waited for: what it answers is no proof that it is well.
   */
  lastResort(name: VolumeName): Volume | null {
    const member = this.#member(name);
    return member?.state === 'failed' ? member.volume : null;
  }

  /** Volumes that can be listed and read now. */
  readables(): readonly Volume[] {
    return this.#members.flatMap((m) => (m.state !== 'failed' && m.volume !== null ? [m.volume] : []));
  }

  /**
   * The healthy volume with most free space that has room for `bytes`, or null.
   * @param intoReserve recalls, the packer and deletes may use the reserve, arrivals may not.
   */
  writable(bytes: number, intoReserve = false): Volume | null {
    let best: Member | null = null;
    for (const member of this.#members) {
      if (member.state !== 'healthy' || member.volume === null || member.usage === null) continue;
      if (member.usage.bytesFree - (intoReserve ? 0 : reserve(member.usage)) < bytes) continue;
      if (best?.usage == null || member.usage.bytesFree > best.usage.bytesFree) best = member;
    }
    return best?.volume ?? null;
  }

  /** Whether this volume is healthy and has room for `bytes` more: a tray stays where it is as long as it can. */
  canTake(name: VolumeName, bytes: number, intoReserve: boolean): boolean {
    const member = this.#member(name);
    if (member?.state !== 'healthy' || member.usage === null) return false;
    return member.usage.bytesFree - (intoReserve ? 0 : reserve(member.usage)) >= bytes;
  }

  /** Whether some healthy volume exists at all: with one, a lack of room is FULL, not a reason to go to the cloud. */
  anyHealthy(): boolean {
    return this.#members.some((m) => m.state === 'healthy');
  }

  /** Tells of an error that a call on this volume gave. Returns at once; a probe decides what it means. */
  report(name: VolumeName, error: unknown): void {
    const member = this.#member(name);
    if (member === undefined) return;
    const code = codeOf(error);
    if (code === 'FULL') {
      if (member.usage !== null) member.usage = { ...member.usage, bytesFree: 0 };
      return;
    }
    if (code !== 'UNAVAILABLE' || member.state === 'failed') return;
    member.state = 'suspect';
    member.detail = (error as Error).message;
    void this.#probe(member);
  }

  /** Out of use until `takeIn`, and let go of, so that its disk can be changed. What reads from it goes on elsewhere. */
  async takeOut(name: VolumeName): Promise<void> {
    const member = this.#member(name);
    if (member === undefined) return;
    member.out = true;
    this.#failed(member, new ArchiveError('UNAVAILABLE', TAKEN_OUT));
    // A probe that was under way may have found it well.
    await member.probing;
    this.#failed(member, new ArchiveError('UNAVAILABLE', TAKEN_OUT));
    const { volume } = member;
    member.volume = null;
    await volume?.close();
  }

  /** Looks at it at once, and uses it if it is well. */
  async takeIn(name: VolumeName): Promise<void> {
    const member = this.#member(name);
    if (member?.out !== true) return;
    member.out = false;
    // The operator's word is the first good probe.
    member.goodProbes = GOOD_PROBES_TO_RETURN - 1;
    await this.#probe(member);
  }

  /** Resolves once a reported error of this volume was looked into. Never rejects. */
  async settled(name: VolumeName): Promise<void> {
    await this.#member(name)?.probing;
  }

  /** Probes every volume once and refreshes what is known of its space. Never rejects. */
  async probe(): Promise<void> {
    await Promise.all(this.#members.map((m) => this.#probe(m)));
  }

  state(): readonly { name: VolumeName; state: VolumeState; detail: string | null; usage: VolumeUsage | null }[] {
    return this.#members.map((m) => ({ name: m.source.name, state: m.state, detail: m.detail, usage: m.usage }));
  }

  async close(): Promise<void> {
    for (const member of this.#members) {
      await member.probing;
      await member.volume?.close();
      member.volume = null;
      member.state = 'failed';
      member.detail = 'closed';
    }
  }

  #probe(member: Member): Promise<void> {
    member.probing ??= this.#probeOnce(member).finally(() => {
      member.probing = null;
    });
    return member.probing;
  }

  async #probeOnce(member: Member): Promise<void> {
    if (member.out) return;
    try {
      if (member.state === 'failed' || member.volume === null) {
        await this.#tryReturn(member);
        return;
      }
      await member.volume.probe();
      member.usage = await member.volume.usage();
      this.#healthy(member);
    } catch (error) {
      // A full volume is not a failed one: it reads, and refuses arrivals by its free space.
      if (codeOf(error) === 'FULL' && member.volume !== null && member.state !== 'failed') {
        member.usage = await member.volume.usage().catch(() => member.usage);
        this.#healthy(member);
        return;
      }
      this.#failed(member, error);
    }
  }

  /** Opens a failed volume afresh: a new mount has new descriptors, and its identity is checked again. */
  async #tryReturn(member: Member): Promise<void> {
    const stale = member.volume;
    if (stale !== null && (await isInPlace(stale))) {
      // It stays open for what only it holds, until there is reason to think that it is well.
      await stale.probe();
      member.goodProbes += 1;
      if (member.goodProbes < GOOD_PROBES_TO_RETURN) return;
    }
    member.volume = null;
    await stale?.close();
    const volume = await member.source.open();
    try {
      await volume.probe();
      member.goodProbes += 1;
      if (member.goodProbes < GOOD_PROBES_TO_RETURN) {
        await volume.close();
        return;
      }
      member.state = 'returning';
      await this.#hooks.onDeletes(volume);
      await this.#hooks.onReturn(volume);
      member.usage = await volume.usage();
      member.volume = volume;
      this.#healthy(member);
    } catch (error) {
      await volume.close();
      throw error;
    }
  }

  #healthy(member: Member): void {
    member.state = 'healthy';
    member.detail = null;
  }

  #failed(member: Member, error: unknown): void {
    member.state = 'failed';
    member.goodProbes = 0;
    member.detail = error instanceof ArchiveError ? error.message : 'an unexpected error: see the log';
  }
}

/** Whether its path still shows it. What was unmounted is let go of, so that the disk can be mended. */
async function isInPlace(volume: Volume): Promise<boolean> {
  try {
    await volume.usage();
    return true;
  } catch {
    return false;
  }
}

/** Bytes of a volume that arrivals may not use. */
function reserve(usage: VolumeUsage): number {
  // Two packs, but never more than a tenth: a small volume is not all reserve.
  const packs = Math.min(2 * PACK_BYTES_MAX, usage.bytesTotal / 10);
  return Math.max(packs, usage.bytesTotal * VOLUME_RESERVE_SHARE);
}
