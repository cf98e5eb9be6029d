// When copies are enough: on so many replicas, in so many failure domains. Whether something counts as protected, acknowledged or safe
// to be given up elsewhere is decided here and nowhere else.
import { ArchiveError } from '../../core/errors.js';
import type { ReplicaName } from '../../core/ids.js';

export interface Member {
  readonly name: ReplicaName;
  /** What fails together: a building, a provider, a rack. Default: each replica is its own. */
  readonly domain?: string | undefined;
}

export class PlacementRule {
  /** Replicas that must hold a copy. */
  readonly writeQuorum: number;
  /** Distinct failure domains that these must lie in. */
  readonly domains: number;
  readonly #domainOf: ReadonlyMap<ReplicaName, string>;

  /** INVALID for a rule that these members could not keep even if all of them answer. */
  constructor(members: readonly Member[], writeQuorum: number, domains = 1) {
    this.writeQuorum = writeQuorum;
    this.domains = domains;
    this.#domainOf = new Map(members.map(({ name, domain }) => [name, domain ?? name]));
    if (!Number.isInteger(writeQuorum) || writeQuorum < 1 || writeQuorum > this.#domainOf.size) {
      throw new ArchiveError(
        'INVALID',
        `a write quorum of ${writeQuorum} of ${this.#domainOf.size} replicas cannot be`,
      );
    }
    const apart = new Set(this.#domainOf.values()).size;
    if (!Number.isInteger(domains) || domains < 1 || domains > apart) {
      throw new ArchiveError('INVALID', `copies in ${domains} failure domains cannot be: the replicas lie in ${apart}`);
    }
  }

  /** Replicas that count, in the order of the configuration. */
  get names(): readonly ReplicaName[] {
    return [...this.#domainOf.keys()];
  }

  /** As plain data: what an index is asked by. `domainOf` is in the order of `replicas`. */
  get data(): {
    readonly writeQuorum: number;
    readonly domains: number;
    readonly replicas: readonly ReplicaName[];
    readonly domainOf: readonly string[];
  } {
    const { writeQuorum, domains } = this;
    return { writeQuorum, domains, replicas: this.names, domainOf: [...this.#domainOf.values()] };
  }

  /** Whether copies on these replicas are enough; replicas that are not members do not count. `quorum` in place of the write quorum. */
  isMet(names: Iterable<ReplicaName>, quorum = this.writeQuorum): boolean {
    const counted = new Set([...names].filter((name) => this.#domainOf.has(name)));
    const apart = new Set([...counted].map((name) => this.#domainOf.get(name)));
    return counted.size >= quorum && apart.size >= Math.min(this.domains, quorum);
  }

  /** The same rule while one replica no longer counts. INVALID when the others could not keep it. */
  without(name: ReplicaName): PlacementRule {
    return new PlacementRule(
      [...this.#domainOf].flatMap(([one, domain]) => (one === name ? [] : [{ name: one, domain }])),
      this.writeQuorum,
      this.domains,
    );
  }

  /** `on 1 of 3 replicas (r1), 2 are needed`, for messages. */
  shortfall(names: Iterable<ReplicaName>): string {
    const counted = [...new Set(names)].filter((name) => this.#domainOf.has(name));
    const apart = this.domains > 1 ? ` in ${this.domains} failure domains` : '';
    const where = counted.length === 0 ? '' : ` (${counted.join(', ')})`;
    return `on ${counted.length} of ${this.#domainOf.size} replicas${where}, ${this.writeQuorum} are needed${apart}`;
  }
}
