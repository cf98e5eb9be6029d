// Random programs of puts, gets, ranges, deletes and listings, run on an object store and on a Map at once.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { type ObjectKey, parseObjectKey } from '../../tiering/core/ids.js';
import { bytesOf } from '../support/bytes.js';

const key = (text: string): ObjectKey => parseObjectKey(text);
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** The keys that a listing gives, in its order. */
export async function listed(store: ObjectStore, prefix: string, after?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const entry of store.list(prefix, after === undefined ? {} : { after })) keys.push(entry.key);
  return keys;
}

type Step =
  | { readonly do: 'put'; readonly at: number; readonly length: number }
  | { readonly do: 'get' | 'delete' | 'head'; readonly at: number }
  | { readonly do: 'range'; readonly at: number; readonly start: number; readonly length: number }
  | { readonly do: 'list'; readonly at: number };

const NAMES = ['a', 'a-b', 'b/a', 'b/c/d', 'b.x', 'c', 'c0/z', 'd/d/d/d'];

/** Runs random programs against `store` and a Map side by side. fast-check prints the seed of one that fails. */
export async function agreesWithModel(
  store: ObjectStore,
  { programs, deletes, absentCode }: { programs: number; deletes: boolean; absentCode: string },
): Promise<void> {
  const at = fc.nat(NAMES.length - 1);
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('put' as const), at, length: fc.nat(3000) }),
    fc.record({ do: fc.constantFrom('get' as const, 'head' as const, ...(deletes ? ['delete' as const] : [])), at }),
    fc.record({
      do: fc.constant('range' as const),
      at,
      start: fc.nat(3000),
      length: fc.integer({ min: 1, max: 3000 }),
    }),
    fc.record({ do: fc.constant('list' as const), at }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const space = `model/${randomBytes(6).toString('hex')}/`;
      const model = new Map<string, Uint8Array>();
      for (const [number, one] of steps.entries()) {
        await runStep(store, model, space, one, number, absentCode);
      }
    }),
    { numRuns: programs },
  );
}

async function runStep(
  store: ObjectStore,
  model: Map<string, Uint8Array>,
  space: string,
  step: Step,
  number: number,
  absentCode: string,
): Promise<void> {
  const name = key(space + (NAMES[step.at] ?? 'a'));
  const known = model.get(name);
  switch (step.do) {
    case 'put': {
      const body = bytesOf(step.length, number + 1);
      await store.put(name, body);
      model.set(name, body);
      return;
    }
    case 'delete':
      await store.delete(name);
      model.delete(name);
      return;
    case 'list': {
      const after = name;
      const wanted = [...model.keys()].filter((text) => text > after).sort();
      expect(await listed(store, space, after)).toEqual(wanted);
      return;
    }
    case 'head':
      if (known === undefined) await expect(store.head(name)).rejects.toMatchObject({ code: absentCode });
      else expect(await store.head(name)).toEqual({ bytes: known.byteLength });
      return;
    case 'get':
      if (known === undefined) await expect(store.get(name)).rejects.toMatchObject({ code: absentCode });
      else expect(same(await store.get(name), known)).toBe(true);
      return;
    case 'range': {
      const range = { start: step.start, end: step.start + step.length };
      if (known === undefined) {
        await expect(store.get(name, range)).rejects.toMatchObject({ code: absentCode });
      } else if (range.end > known.byteLength) {
        const code = absentCode === 'ABSENT' ? 'CORRUPT' : 'UNAVAILABLE';
        await expect(store.get(name, range)).rejects.toMatchObject({ code });
      } else {
        expect(same(await store.get(name, range), known.subarray(range.start, range.end))).toBe(true);
      }
    }
  }
}
