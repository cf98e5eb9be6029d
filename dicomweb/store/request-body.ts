// The body of a request as chunks, read as fast as its consumer reads and no faster, with a least rate for the sender: a
// body that trickles or stops is ended with 408.
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../tiering/core/clock.js';
import { ArchiveError, NO_LONGER_NEEDED } from '../../tiering/core/errors.js';
import type { DicomwebLimits } from '../limits.js';
import { HttpProblem } from '../problem.js';

/** A watch every so many parts of the grace. */
const TICKS_PER_GRACE = 8;

/**
 * Yields the body of `req`. Throws ABORTED when the client is gone before its end, 408 when it sends slower than
 * `bodyBytesPerSecondMin` for longer than `bodyGraceMs` in all. Only time in which this side was waiting for the client counts.
 */
export async function* requestBody(
  req: IncomingMessage,
  clock: Clock,
  limits: DicomwebLimits,
): AsyncGenerator<Uint8Array, void, void> {
  const chunks: AsyncIterator<Buffer> = req.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  const stop = new AbortController();
  let allowanceMs = limits.bodyGraceMs;
  let waitingSince: number | null = null;
  // Fails the wait that is under way. Not a promise to race against: each race would hold on to its chunk for as long as
  // the slower promise lives, which is the whole body.
  let failWait: (error: Error) => void = () => undefined;

  const charge = (nowMs: number) => {
    if (waitingSince !== null) allowanceMs -= nowMs - waitingSince;
    waitingSince = nowMs;
  };
  const watch = async () => {
    for (;;) {
      await clock.sleep(Math.max(1, limits.bodyGraceMs / TICKS_PER_GRACE), stop.signal);
      if (waitingSince === null) continue;
      charge(clock.monotonicMs());
      if (allowanceMs > 0) continue;
      failWait(
        new HttpProblem(408, `the body came slower than ${limits.bodyBytesPerSecondMin} bytes a second`, {
          code: 'ABORTED',
        }),
      );
      return;
    }
  };
  watch().catch(() => undefined);

  try {
    for (;;) {
      waitingSince = clock.monotonicMs();
      const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        failWait = reject;
        chunks.next().then(resolve, reject);
      });
      charge(clock.monotonicMs());
      waitingSince = null;
      if (next.done === true) return;
      allowanceMs = Math.min(
        limits.bodyGraceMs,
        allowanceMs + (next.value.length * 1000) / limits.bodyBytesPerSecondMin,
      );
      yield next.value;
    }
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw new ArchiveError('ABORTED', 'the request ended before its body did', { cause: error });
  } finally {
    stop.abort(NO_LONGER_NEEDED);
  }
}

/**
 * Reads and drops what a client is still sending when its answer is out already, for a short while, so that closing
 * does not reset the connection under the answer.
 */
export async function linger(req: IncomingMessage, clock: Clock, ms: number): Promise<void> {
  if (req.complete || req.destroyed) return;
  const stop = new AbortController();
  const ended = new Promise<void>((resolve) => {
    req.once('end', resolve);
    req.once('close', resolve);
  });
  req.resume();
  await Promise.race([ended, clock.sleep(ms, stop.signal).catch(() => undefined)]);
  stop.abort(NO_LONGER_NEEDED);
}
