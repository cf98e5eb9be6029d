// Which chunk is known to be missing or corrupt on which replica: a sparse table, kept in memory and
// in the index, so that reads avoid it, scrub adds to it and repair empties it. Chunk -1 is the manifest.
import type { PackId, ReplicaName } from '../../core/ids.js';
import type { ChunkException, ChunkFault, Index } from '../../index/index.js';

const NONE: ReadonlySet<ReplicaName> = new Set();

export class Damage {
  readonly #index: Index;
  readonly #known = new Map<string, Set<ReplicaName>>();

  constructor(index: Index) {
    this.#index = index;
  }

  async load(): Promise<void> {
    this.#known.clear();
    for (const exception of await this.#index.exceptions()) this.#remember(exception);
  }

  /** Replicas whose copy of this chunk is known to be bad. */
  of(pack: PackId, chunk: number): ReadonlySet<ReplicaName> {
    return this.#known.get(`${pack}/${chunk}`) ?? NONE;
  }

  /** Notes a finding, once. Resolves when the index has it. */
  async note(pack: PackId, chunk: number, replica: ReplicaName, fault: ChunkFault): Promise<void> {
    if (this.of(pack, chunk).has(replica)) return;
    const exception = { pack, chunk, replica, fault };
    this.#remember(exception);
    try {
      await this.#index.addException(exception);
    } catch (error) {
      // Repair goes by the index: whoever finds it again must be able to say so.
      this.#unremember(exception);
      throw error;
    }
  }

  async clear(pack: PackId, chunk: number, replica: ReplicaName): Promise<void> {
    await this.#index.clearException({ pack, chunk, replica });
    this.#unremember({ pack, chunk, replica });
  }

  /** What was noted of a pack that was sealed anew: the index has forgotten it already. */
  forget(pack: PackId): void {
    for (const key of [...this.#known.keys()]) if (key.startsWith(`${pack}/`)) this.#known.delete(key);
  }

  #unremember({ pack, chunk, replica }: Omit<ChunkException, 'fault'>): void {
    const key = `${pack}/${chunk}`;
    const replicas = this.#known.get(key);
    replicas?.delete(replica);
    if (replicas?.size === 0) this.#known.delete(key);
  }

  #remember({ pack, chunk, replica }: ChunkException): void {
    const key = `${pack}/${chunk}`;
    const replicas = this.#known.get(key) ?? new Set();
    replicas.add(replica);
    this.#known.set(key, replicas);
  }
}
