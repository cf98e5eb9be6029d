// Work on long texts in turns: the event loop goes round between them, so that nobody else waits for it.
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

/** Of work at a time. Below it the usual instance is done at once. */
const TURN_MS = 4;

/** Runs `work` to its end, giving each thing that it yields to `take`, and resolves to what it returns. Rejects with what it throws. */
export async function inTurns<Piece, Result>(
  work: Generator<Piece, Result, void>,
  take: (piece: Piece) => void,
): Promise<Result> {
  let began = performance.now();
  for (;;) {
    const next = work.next();
    if (next.done === true) return next.value;
    take(next.value);
    if (performance.now() - began < TURN_MS) continue;
    await setImmediate();
    began = performance.now();
  }
}
