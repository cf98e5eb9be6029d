// The admin API: status, jobs and their progress, as JSON and server-sent events. Its description is openapi.ts. Errors are
// application/problem+json by the table of dicomweb/problem.ts.
import express, { type ErrorRequestHandler, type Request, type Response, Router } from 'express';
import { HttpProblem, problemAnswer } from '../../dicomweb/problem.js';
import type { Archive, JobOptions } from '../../tiering/archive/archive.js';
import type { Clock } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Audit } from '../audit/audit.js';
import { aboutCommand } from '../audit/request-record.js';
import { note } from '../audit/requests.js';
import { auditJob } from '../audit/watch.js';
import type { StudyLinks } from '../auth/study-links.js';
import type { Health } from '../health.js';
import type { Logger } from '../log.js';
import { deleteScopes, isErasure, parseDeletion, planDeletion } from './deletion.js';
import { addDrillRoutes } from './drills.js';
import { addHoldRoutes } from './holds.js';
import { isFinished, type JobKind, type JobRegistry, type JobReport, type JobView } from './jobs.js';
import { OPENAPI } from './openapi.js';
import { planOf } from './plan.js';
import { jobWork, parseJobRequest, parseLinkRequest, parseSelectionRequest, type ReplicaProbe } from './requests.js';
import { statusView } from './status.js';
import { addVolumeRoutes } from './volumes.js';

export interface AdminDependencies {
  readonly archive: Archive;
  readonly jobs: JobRegistry;
  readonly health: Health;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes links to studies; null where the configuration has no key for them. */
  readonly links: StudyLinks | null;
  readonly probeReplica: ReplicaProbe;
}

const BODY_BYTES_MAX = 1 << 20;
/** Proxies cut silent connections after 30 to 60 s. */
const HEARTBEAT_MS = 15_000;
const RETRY_AFTER_SECONDS = 10;

/** Mounted at `/admin/api`, behind authentication. */
export function adminRouter(dependencies: AdminDependencies): Router {
  const { archive, jobs, health, audit, clock, logger, links, probeReplica } = dependencies;
  const router = Router();
  // Only application/json: a web page of another origin cannot send that without asking first (CORS), and is not allowed to.
  router.use(express.json({ limit: BODY_BYTES_MAX, type: 'application/json' }));
  router.use((request, response, next) => {
    response.set('Cache-Control', 'no-store');
    if (request.method !== 'GET') note(request, aboutCommand(request.body));
    next();
  });

  router.get('/openapi.json', (_, response) => {
    response.json(OPENAPI);
  });
  router.get('/status', async (_, response) => {
    response.json(statusView(await health.status(), jobs.list().filter(isOpen), clock.nowMs(), audit.state()));
  });
  router.post('/plan', async (request, response) => {
    const selection = parseSelectionRequest(bodyOf(request), clock.nowMs());
    response.json(await planOf(archive, selection, clock));
  });

  router.post('/links', async (request, response) => {
    const { studies, lifeMs, name } = parseLinkRequest(bodyOf(request));
    if (links === null) {
      throw new ArchiveError(
        'NOT_SUPPORTED',
        'auth.linkKey is not set (and auth.mode must not be none): no links are made',
      );
    }
    const { token, expiresMs } = await links.make(studies, lifeMs, name);
    logger.info({ studies: studies.length, expiresMs }, 'link made');
    response.status(201).json({ token, expiresAt: new Date(expiresMs).toISOString() });
  });

  router.get('/jobs', (_, response) => {
    response.json({ jobs: jobs.list() });
  });
  const begin = (response: Response, kind: JobKind, work: (options: JobOptions) => Promise<JobReport>) => {
    const job = jobs.submit(kind, work);
    // A script that waits for its job and then asks for the status must see what the job did.
    jobs.subscribe(job.id, (view) => {
      if (!isFinished(view.state)) return;
      health.changed();
      auditJob(audit, clock, view);
    });
    note(response.req, { job: job.id });
    logger.info({ job: job.id, kind: job.kind }, 'job submitted');
    response.status(202).location(`/admin/api/jobs/${job.id}`).json({ id: job.id });
  };
  router.post('/jobs', (request, response) => {
    const wanted = parseJobRequest(bodyOf(request), clock.nowMs());
    begin(response, wanted.kind, jobWork(archive, wanted, probeReplica));
  });
  router.post('/deletions/plan', async (request, response) => {
    response.json(await planDeletion(archive, parseDeletion(bodyOf(request)).scopes));
  });
  router.post('/deletions', (request, response) => {
    const body = bodyOf(request);
    if (isErasure(body)) {
      begin(response, 'erase', (options) => archive.erase(options));
      return;
    }
    const deletion = parseDeletion(body);
    begin(response, 'delete', (options) => deleteScopes(archive, deletion, options));
  });
  addHoldRoutes(router, archive, bodyOf);
  addDrillRoutes(router, archive, bodyOf, begin);
  addVolumeRoutes(router, archive, health, bodyOf);
  router.get('/jobs/:id', (request, response) => {
    response.json(jobs.get(request.params.id));
  });
  router.delete('/jobs/:id', (request, response) => {
    response.status(202).json(jobs.cancel(request.params.id));
  });
  router.get('/jobs/:id/events', (request, response) => {
    sendEvents(jobs, request.params.id, response);
  });

  router.use(() => {
    throw new ArchiveError(
      'NOT_FOUND',
      'there is nothing at this address of the admin API; see /admin/api/openapi.json',
    );
  });
  router.use(problems(logger));
  return router;
}

function isOpen(job: JobView): boolean {
  return !isFinished(job.state);
}

function bodyOf(request: Request): unknown {
  if (request.is('application/json') === false) {
    throw new HttpProblem(415, 'the body must be JSON, with Content-Type: application/json');
  }
  return request.body as unknown;
}

/** `progress` for every change, `done` with the finished job, then the end. The first event is how things stand now. */
function sendEvents(jobs: JobRegistry, id: string, response: Response): void {
  const now = jobs.get(id);
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
  const heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS);
  const send = (job: JobView) => {
    const finished = isFinished(job.state);
    // A reader that does not keep up misses steps in between, never the end.
    if (!finished && response.writableNeedDrain) return;
    response.write(`event: ${finished ? 'done' : 'progress'}\ndata: ${JSON.stringify(job)}\n\n`);
    if (finished) response.end();
  };
  const unsubscribe = jobs.subscribe(id, send);
  response.once('close', () => {
    clearInterval(heartbeat);
    unsubscribe();
  });
  send(now);
}

function problems(logger: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const answer = problemAnswer(fromBodyParser(error) ?? error, RETRY_AFTER_SECONDS);
    if (answer.status >= 500) logger.error({ err: error }, 'admin request failed');
    response
      .status(answer.status)
      .set(answer.headers as Record<string, string>)
      .send(answer.body);
  };
}

/** What express.json throws: an Error with `status` 4xx and a message that may quote the body, so it is not shown. */
function fromBodyParser(error: unknown): HttpProblem | undefined {
  if (!(error instanceof Error) || error instanceof ArchiveError || !('status' in error)) return undefined;
  const status = Number(error.status);
  if (status < 400 || status > 499) return undefined;
  return new HttpProblem(
    status,
    status === 413 ? `the body is longer than ${BODY_BYTES_MAX} bytes` : 'the body is not JSON',
    {
      code: 'INVALID',
      cause: error,
    },
  );
}
