// The life of a server process: comes up, says where it is, goes down in order when asked to, at once when asked twice.
import { systemClock, systemRandom } from '../tiering/core/clock.js';
import { compose } from './compose.js';
import type { Config } from './config.js';
import { createLogger } from './log.js';

export interface ServeOptions {
  readonly config: Config;
  /** Make a lost index again, and serve meanwhile. One that was begun is gone on with without being told. */
  readonly rebuild: boolean;
  /** pino's levels. */
  readonly logLevel: string;
  /** How long answers in flight may go on after the first SIGTERM or SIGINT. */
  readonly graceMs: number;
  /** Told where it listens, once it serves. */
  readonly onReady: (url: string) => void;
}

/** Threads for Node's file calls: 8 for each volume and directory replica, twice over, and some for DNS. */
const FILE_THREADS = 64;

/** Serves until a signal; resolves when everything is closed. Rejects when it cannot come up. */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, graceMs } = options;
  const logger = createLogger(options.logLevel);
  const fileThreads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  if (fileThreads < FILE_THREADS / 4) {
    logger.warn({ fileThreads }, 'few file threads: one hung disk can stop everything; start by the filmroom command');
  }
  for (const key of config.ignored)
    logger.warn({ key }, 'this part of the configuration is not acted on by this version');
  process.on('unhandledRejection', (error) => {
    // A promise nobody waited for is a mistake of ours, but no reason to drop everybody's requests.
    logger.error({ err: error }, 'unhandled rejection');
  });
  const gateway = await compose(config, { clock: systemClock, random: systemRandom, logger, rebuild: options.rebuild });
  logger.info({ url: gateway.url, node: process.version }, 'serving');
  options.onReady(gateway.url);
  const signal = await firstSignal();
  logger.info({ signal, graceMs }, 'stopping');
  await gateway.close(graceMs);
  logger.info('stopped');
}

/** Resolves with the first SIGTERM or SIGINT; the second ends the process at once. */
function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: string) => {
      signals += 1;
      if (signals > 1) process.exit(130);
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
