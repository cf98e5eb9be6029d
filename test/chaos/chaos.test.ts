// The fault library against the real server: every fault is made by real means under load, and after each of them every byte is what it was
// and a deep scrub finds nothing. What a machine cannot do is skipped by name. By hand: npm run chaos.
import { afterAll, describe, expect, it } from 'vitest';
import { KINDS, type Kind } from './fault.js';
import { LIBRARY } from './library.js';
import { lacks } from './needs.js';
import { LibraryRun } from './run-library.js';

/** Of all of it: each fault is waited for in its turn, and servers run beside one another. */
const RUN_MS_MAX = 900_000;
const LANES = 6;

const run = new LibraryRun(LIBRARY, { lanes: LANES });
afterAll(() => run.close(), RUN_MS_MAX);

const kinds = (Object.entries(KINDS) as [Kind, string][]).filter(([kind]) => LIBRARY.some((one) => one.kind === kind));

describe.each(kinds.map(([kind, title]) => [title, kind] as const))('%s', (_, kind) => {
  for (const fault of LIBRARY.filter((one) => one.kind === kind)) {
    const missing = lacks(fault);
    it.skipIf(missing !== null)(
      missing === null ? fault.name : `${fault.name} (${missing})`,
      async ({ task }) => {
        // What is tried again is tried at a server of its own, beside the rest.
        const again = (task.result?.retryCount ?? 0) > 0;
        const one = again ? new LibraryRun([fault], { lanes: 1 }) : run;
        const row = await one.row(fault);
        if (again) await one.close();
        expect(row.problems, row.seen).toEqual([]);
      },
      RUN_MS_MAX,
    );
  }
});
