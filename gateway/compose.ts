// The wiring, on one screen: what the server is made of and in which order it comes up and goes down.
import { createDicomweb } from '../dicomweb/dicomweb.js';
import type { DicomwebEvent } from '../dicomweb/exchange.js';
import type { Archive } from '../tiering/archive/archive.js';
import type { ArchiveEvent } from '../tiering/archive/context.js';
import { openArchive } from '../tiering/archive/open-archive.js';
import type { Clock, Random } from '../tiering/core/clock.js';
import { createPixelPool } from '../workers/pixel-pool.js';
import { JobRegistry } from './admin/jobs.js';
import { NO_AUDIT, openAudit } from './audit/audit.js';
import { auditEvent, watchStates } from './audit/watch.js';
import { createAuthenticator } from './auth/authenticate.js';
import type { Config } from './config.js';
import { createHealth } from './health.js';
import { startHttp } from './http.js';
import { type Logger, redact } from './log.js';
import { createMetrics } from './metrics.js';
import { probePlace } from './replica-stores.js';
import { closeStorage, openStorage } from './storage.js';

export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly rebuild?: boolean;
}

export interface Gateway {
  /** Where it listens. */
  readonly url: string;
  readonly archive: Archive;
  /** Not ready any more, nothing new taken, what is in flight finished within `graceMs`, everything closed. Idempotent. */
  close(graceMs: number): Promise<void>;
}

export async function compose(config: Config, surroundings: Surroundings): Promise<Gateway> {
  const { clock, random, logger } = surroundings;
  const storage = await openStorage(config, { clock, random, rebuilding: surroundings.rebuild === true });
  const audit = config.audit === null ? NO_AUDIT : openAudit({ ...config.audit, clock, logger });
  const log = (event: ArchiveEvent) => {
    logEvent(logger, event);
    auditEvent(audit, clock, event);
  };
  const archive = await openArchive({ ...storage, clock, random, log }).catch(async (error: unknown) => {
    await closeStorage(storage);
    await audit.close();
    throw error;
  });
  if (storage.keysWarning !== null) {
    logger.error(
      { detail: storage.keysWarning },
      'keys cannot be used: cold studies cannot be read, nothing gets protected',
    );
  }
  const pixels = createPixelPool();
  const authenticator = createAuthenticator(config.auth, clock, config.http.publicUrl);
  const jobs = new JobRegistry(clock);
  const health = createHealth(archive, clock);
  const watch = new AbortController();
  try {
    const http = await startHttp({
      config: config.http,
      authenticator,
      links: authenticator.links,
      probeReplica: async (name) => {
        const replica = config.cold.replicas.find((one) => one.name === name);
        return replica === undefined ? null : probePlace(replica, { clock, random });
      },
      dicomweb: createDicomweb({
        archive,
        pixels,
        clock,
        random,
        deletes: config.http.delete,
        ...(config.http.publicUrl === undefined ? {} : { publicUrl: config.http.publicUrl }),
        ...(config.http.origins === undefined ? {} : { origins: config.http.origins }),
        log: (event) => logRequest(logger, event),
      }),
      metrics: createMetrics(health, jobs, clock, audit),
      archive,
      jobs,
      health,
      audit,
      clock,
      logger,
    });
    const watching = watchStates(audit, health, clock, watch.signal);
    let closed: Promise<void> | undefined;
    const close = async (graceMs: number) => {
      health.stopping();
      await Promise.all([http.close(graceMs), jobs.close()]);
      watch.abort();
      await watching;
      await pixels.close();
      await archive.close();
      await audit.close();
    };
    return {
      url: http.url,
      archive,
      close: (graceMs) => {
        closed ??= close(graceMs);
        return closed;
      },
    };
  } catch (error) {
    await pixels.close();
    await archive.close();
    await audit.close();
    throw error;
  }
}

/** `resource` is the kind of thing asked for, never its UIDs. */
function logRequest(logger: Logger, { error, ...event }: DicomwebEvent): void {
  if (error === undefined) logger.debug(event, 'dicomweb');
  else logger.error({ ...event, err: error }, 'dicomweb request failed');
}

function logEvent(logger: Logger, { level, event, pack, detail }: ArchiveEvent): void {
  logger[level]({ event, pack, detail: detail === undefined ? undefined : redact(detail) }, event);
}
