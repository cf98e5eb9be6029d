// From a plan that breaks something to the least of it that still does: steps are left out, many at a time and then one by one.
import type { IndexDisk } from './disk-index.js';
import { runHistory } from './history.js';
import type { Plan } from './plan.js';

const RUNS_MAX = 150;

export async function shrink(index: IndexDisk, plan: Plan): Promise<Plan> {
  let least = plan;
  let runs = 0;
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < least.steps.length && runs < RUNS_MAX; ) {
      const fewer = { ...least, steps: [...least.steps.slice(0, at), ...least.steps.slice(at + size)] };
      runs += 1;
      const { violations } = await runHistory(index, fewer);
      if (violations.length > 0) least = fewer;
      else at += size;
    }
  }
  return least;
}
