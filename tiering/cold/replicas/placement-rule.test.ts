// The rule of placement against what it says, for every set of up to six replicas.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReplicaName } from '../../core/ids.js';
import { PlacementRule } from './placement-rule.js';

const name = (n: number) => parseReplicaName(`r${n}`);

describe('PlacementRule', () => {
  it('is met by so many members in so many domains, whatever else holds a copy', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'c', undefined), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.subarray([0, 1, 2, 3, 4, 5, 6, 7]),
        (domains, quorum, apart, held) => {
          const members = domains.map((domain, n) => ({ name: name(n), domain }));
          const different = new Set(members.map((one) => one.domain ?? one.name)).size;
          fc.pre(quorum <= members.length && apart <= different);
          const rule = new PlacementRule(members, quorum, apart);
          const counted = members.filter((_, n) => held.includes(n));
          const where = new Set(counted.map((one) => one.domain ?? one.name));
          const met = counted.length >= quorum && where.size >= Math.min(apart, quorum);
          expect(rule.isMet(held.map(name))).toBe(met);
        },
      ),
      { verbose: true },
    );
  });

  it('cannot be asked for more than its members can keep', () => {
    const two = [
      { name: name(1), domain: 'a' },
      { name: name(2), domain: 'a' },
    ];
    expect(() => new PlacementRule(two, 3)).toThrow('a write quorum of 3 of 2 replicas cannot be');
    expect(() => new PlacementRule(two, 2, 2)).toThrow('copies in 2 failure domains cannot be: the replicas lie in 1');
    const rule = new PlacementRule([...two, { name: name(3) }], 2, 2);
    expect(rule.without(name(1)).names).toEqual([name(2), name(3)]);
    expect(() => rule.without(name(3))).toThrow('failure domains');
    expect(rule.shortfall([name(1), name(2)])).toBe('on 2 of 3 replicas (r1, r2), 2 are needed in 2 failure domains');
  });
});
