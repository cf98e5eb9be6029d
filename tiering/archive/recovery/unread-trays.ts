// Volumes whose trays may hold arrivals that the index lacks. Rows of arrivals need not be durable, since the trays say the same; so after a power cut while
// a volume is away, or a rebuild without it, what it took in last is known to nobody, and what is not found may lie there. For every volume the index has a
// mark that is durable before anything is appended to its trays, and is taken away once nothing can be lacking any more: at a clean stop, and when a volume
// that fails has been left and everything that came from it is durable.
import type { VolumeName } from '../../core/ids.js';
import type { Index } from '../../index/index.js';

const keyOf = (name: VolumeName) => `volume.${name}.trays`;
const OPEN = 'open';

export class UnreadTrays {
  readonly #index: Index;
  readonly #unread = new Set<VolumeName>();
  /** Those that bear the mark because this process may append to them. */
  readonly #open = new Set<VolumeName>();

  constructor(index: Index) {
    this.#index = index;
  }

  /** Whose trays must be read before what is not found is known to be absent. */
  get names(): readonly VolumeName[] {
    return [...this.#unread].sort();
  }

  /** Why what is not found may be there all the same, with what to do; null when the index lacks nothing. */
  told(): string | null {
    if (this.#unread.size === 0) return null;
    return `volume ${this.names.join(', ')} is away, and what it took in last was not read since the server stopped or the index was rebuilt: bring it back, or give it up with filmroom volume adopt`;
  }

  /** Before volumes are opened: those that bear the mark are unread until they were. */
  async load(names: readonly VolumeName[]): Promise<void> {
    for (const name of names) if ((await this.#index.setting(keyOf(name))) === OPEN) this.#unread.add(name);
  }

  /** The volume's trays were read to their ends. Durable when it resolves, and only then is anything appended to them. */
  async wereRead(name: VolumeName): Promise<void> {
    await this.#index.setSetting(keyOf(name), OPEN);
    this.#open.add(name);
    await this.#index.commitDurable();
    this.#unread.delete(name);
  }

  /** Nothing from this volume is on its way to the index any more. Durable together with everything that was. */
  async lacksNothing(name: VolumeName): Promise<void> {
    if (!this.#open.delete(name)) return;
    await this.#index.setSetting(keyOf(name), '');
    await this.#index.commitDurable();
  }

  /** No arrival comes any more. */
  async endAll(): Promise<void> {
    for (const name of [...this.#open]) await this.lacksNothing(name);
  }

  /** The index was made again: with this volume, or without it. */
  async afterRebuild(name: VolumeName, wasRead: boolean): Promise<void> {
    await this.#index.setSetting(keyOf(name), wasRead ? '' : OPEN);
    if (!wasRead) this.#unread.add(name);
  }
}
