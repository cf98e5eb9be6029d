// One history: a plan is carried out step by step while the processes live and die, then everything that was wrong is over, and what must be true
// is looked at.
import { createHash } from 'node:crypto';
import { Calls, isCall } from './calls.js';
import { calm } from './calm.js';
import type { IndexDisk } from './disk-index.js';
import { harm, isHarm } from './harm.js';
import type { Plan, Step } from './plan.js';
import { VirtualTime } from './virtual-time.js';
import { type Decorators, World } from './world.js';

export interface Outcome {
  readonly seed: number;
  /** What was broken; none: the history is good. */
  readonly violations: readonly string[];
  readonly steps: number;
  /** Calls of the archive that the history made. */
  readonly calls: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly writes: number;
  readonly events: number;
  readonly log: readonly string[];
  /** Of everything that happened, in order. */
  readonly digest: string;
}

/** Carries out a plan. Never rejects: what goes wrong is in the outcome. */
export async function runHistory(index: IndexDisk, plan: Plan, decorators: Decorators = {}): Promise<Outcome> {
  const time = new VirtualTime();
  const world = new World(index, time, plan.world, decorators);
  const history = new History(world);
  try {
    await time.run(() => history.run(plan.steps));
  } catch (error) {
    world.watchman.broken(
      `the history did not come to its end: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
  world.end();
  const { kill, power } = world.deaths;
  const digest = createHash('sha256').update(world.log.join('\n')).digest('hex');
  return {
    seed: plan.seed,
    violations: world.watchman.violations,
    steps: plan.steps.length,
    calls: history.calls.count,
    faults: { ...history.faults, kill, power },
    writes: world.writes,
    events: time.events,
    log: world.log,
    digest,
  };
}

class History {
  readonly faults: Record<string, number> = {};
  readonly calls: Calls;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.calls = new Calls(world);
  }

  async run(steps: readonly Step[]): Promise<void> {
    const world = this.#world;
    await world.begin();
    await world.up();
    for (const [at, step] of steps.entries()) {
      world.note(`step ${at + 1}: ${JSON.stringify(step)}`);
      await this.#take(step);
      if (world.watchman.violations.length > 0) return;
    }
    await this.calls.settled();
    if (world.watchman.violations.length > 0) return;
    await calm(world, this.calls);
  }

  async #take(step: Step): Promise<void> {
    const world = this.#world;
    if (isCall(step)) {
      await this.calls.make(step);
      return;
    }
    if (isHarm(step)) {
      if (await harm(world, step)) this.#count('fault' in step ? `${step.do} ${step.fault}` : step.do);
      return;
    }
    switch (step.do) {
      case 'wait':
        await world.time.sleep(step.ms);
        return;
      case 'jump':
        this.#count(step.ms < 0 ? 'clock back' : 'clock ahead');
        world.skewMs += step.ms;
        return;
      case 'restart':
        await world.stop();
        return;
      case 'die':
        world.sentence({ how: step.how, calls: step.calls, undone: step.undone });
    }
  }

  #count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
  }
}
