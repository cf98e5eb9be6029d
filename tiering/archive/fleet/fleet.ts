// What the operator has decided of each replica, kept in the index so that it survives a kill: whether it belongs to the archive, is
// being filled at a rate, or is leaving.
import type { ReplicaSet } from '../../cold/replicas/replica-set.js';
import { ArchiveError } from '../../core/errors.js';
import type { ReplicaName } from '../../core/ids.js';
import type { Index } from '../../index/index.js';

/**
 * `new`: never made. `member`: holds everything, or owes it. `filling`: a member that is being brought what it lacks, by no more than so
 * many bytes a second. `draining`: nothing is placed there, what it alone has is brought to others. `drained`: nothing depends on it.
 * `erased`: nor is anything of ours left in it.
 */
export type Standing =
  | { readonly state: 'new' | 'member' | 'draining' | 'drained' | 'erased' }
  | { readonly state: 'filling'; readonly bytesPerSecond: number | null };

/** An index of before replicas could leave has `yes` for every one that was made. */
const keyOf = (name: ReplicaName) => `replica.${name}.known`;

export async function standingOf(index: Index, name: ReplicaName): Promise<Standing> {
  const [state = '', rate] = ((await index.setting(keyOf(name))) ?? '').split(' ');
  if (state === '') return { state: 'new' };
  if (state === 'filling') return { state, bytesPerSecond: Number(rate) > 0 ? Number(rate) : null };
  return state === 'draining' || state === 'drained' || state === 'erased' ? { state } : { state: 'member' };
}

/** Durable when it resolves. */
export async function setStanding(index: Index, name: ReplicaName, standing: Standing): Promise<void> {
  const words = standing.state === 'filling' ? ['filling', String(standing.bytesPerSecond ?? '-')] : [standing.state];
  await index.setSetting(keyOf(name), standing.state === 'member' ? 'yes' : words.join(' '));
  await index.commitDurable();
}

/** The replicas' standing in memory, in step with the index. */
export class Fleet {
  readonly #index: Index;
  readonly #replicas: ReplicaSet;
  readonly #standings = new Map<ReplicaName, Standing>();
  readonly #busy = new Set<ReplicaName>();

  constructor(index: Index, replicas: ReplicaSet) {
    this.#index = index;
    this.#replicas = replicas;
  }

  /** To be called before anything is placed. INVALID when replicas are leaving and the configuration asks for more than the others can hold. */
  async load(): Promise<void> {
    for (const name of this.#replicas.names) this.#take(name, await standingOf(this.#index, name));
  }

  of(name: ReplicaName): Standing {
    return this.#standings.get(name) ?? { state: 'new' };
  }

  isFilling(name: ReplicaName): boolean {
    return this.of(name).state === 'filling';
  }

  /** Durable, and in effect for what begins from now on. INVALID when a replica is to leave and the others are too few. */
  async set(name: ReplicaName, standing: Standing): Promise<void> {
    // Tried first: what cannot be is not written down.
    if (isLeaving(standing) && this.#replicas.targets.includes(name)) this.#replicas.rule.without(name);
    await setStanding(this.#index, name, standing);
    this.#take(name, standing);
  }

  /** One piece of work about a replica at a time; null for the second. */
  async alone<T>(name: ReplicaName, work: () => Promise<T>): Promise<T | null> {
    if (this.#busy.has(name)) return null;
    this.#busy.add(name);
    try {
      return await work();
    } finally {
      this.#busy.delete(name);
    }
  }

  #take(name: ReplicaName, standing: Standing): void {
    this.#standings.set(name, standing);
    if (isLeaving(standing)) {
      try {
        this.#replicas.leave(name);
      } catch (error) {
        throw new ArchiveError('INVALID', `replica ${name} is leaving, and without it ${(error as Error).message}`, {
          cause: error,
        });
      }
    } else this.#replicas.stay(name);
  }
}

function isLeaving({ state }: Standing): boolean {
  return state === 'draining' || state === 'drained' || state === 'erased';
}
