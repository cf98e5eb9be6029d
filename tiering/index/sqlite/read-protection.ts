// What the rule of protection means in SQL: from the counters that the writer keeps wherever they alone can tell, else placement by placement.
import type { ReplicaName } from '../../core/ids.js';
import type { ProtectionRule } from '../index.js';

/** A condition with its values, in the order of its question marks. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly unknown[];
}

export interface Protection {
  /** Of a pack `p`: it is not protected. */
  readonly lacking: Condition;
  /** Of a study `s` that has a hot pack: each of its packs is protected. */
  readonly study: Condition;
}

/** What PackReader knows of placements. */
export interface PlacementReader {
  onlyOn(replicas: readonly ReplicaName[]): boolean;
}

export function protectionOf(packs: PlacementReader, rule: ProtectionRule): Protection {
  const { writeQuorum, replicas, domains = 1, domainOf = replicas } = rule;
  // What lies elsewhere (a replica that leaves, or is not configured any more) is in the counters and does not count.
  const countersTell = packs.onlyOn(replicas);
  if (countersTell && domains <= 1) {
    return {
      lacking: { sql: 'p.placements < ?', values: [writeQuorum] },
      study: { sql: 's.placements_min >= ?', values: [writeQuorum] },
    };
  }
  const members = JSON.stringify(replicas.map((name, at) => [name, domainOf[at] ?? name]));
  // With so many placements the rule is met whichever they are.
  const certain = countersTell ? Math.max(writeQuorum, mostWithin(domainOf, domains - 1) + 1) : Number.MAX_SAFE_INTEGER;
  const lacking = {
    sql: `(p.placements < ? AND (SELECT count(*) < ? OR count(DISTINCT m.value ->> 1) < ?
      FROM placements l JOIN replicas r ON r.id = l.replica JOIN json_each(?) m ON m.value ->> 0 = r.name
      WHERE l.pack = p.id))`,
    values: [certain, writeQuorum, domains, members],
  };
  return {
    lacking,
    study: {
      sql: `(s.placements_min >= ? OR NOT EXISTS (SELECT 1 FROM study_packs x JOIN packs p ON p.id = x.pack
        WHERE x.study = s.id AND ${lacking.sql}))`,
      values: [certain, ...lacking.values],
    },
  };
}

/** How many replicas at most lie in so many domains. */
function mostWithin(domainOf: readonly string[], domains: number): number {
  const sizes = new Map<string, number>();
  for (const domain of domainOf) sizes.set(domain, (sizes.get(domain) ?? 0) + 1);
  return [...sizes.values()]
    .sort((a, b) => b - a)
    .slice(0, domains)
    .reduce((sum, size) => sum + size, 0);
}
