// Time and randomness come in by constructor, so that a simulation can own them. Only gateway/ and
// tools/ make the real ones; nothing below calls Date.now, Math.random or setTimeout for its logic.
import { randomBytes } from 'node:crypto';

export interface Clock {
  /** Milliseconds since 1970, as people read it. May jump; nothing orders by it. */
  nowMs(): number;
  /** Milliseconds that never go back, for durations and deadlines. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** `count` bytes fit for keys and salts. */
  bytes(count: number): Uint8Array;
}

export const systemRandom: Random = { bytes: (count) => randomBytes(count) };

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};
