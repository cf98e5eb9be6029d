// The server as the commands see it: its admin API and its job events. Whatever it answers that is not success becomes an
// ArchiveError with the server's own words.
import type { HoldView } from '../gateway/admin/holds.js';
import type { JobView } from '../gateway/admin/jobs.js';
import type { Plan } from '../gateway/admin/plan.js';
import type { StatusView } from '../gateway/admin/status.js';
import type {
  AdoptReport,
  FailbackLedger,
  HoldReport,
  VolumeExposure,
  VolumeState,
} from '../tiering/archive/archive.js';
import type { DrillPlan } from '../tiering/archive/drills/drill-report.js';
import { ArchiveError, type ErrorCode } from '../tiering/core/errors.js';
import { readEvents } from './server-events.js';

export interface ServerAddress {
  readonly url: string;
  readonly token: string | undefined;
}

const CALL_MS = 60_000;
/** A stream of events that breaks off (a restart, a proxy) is taken up again this often. */
const EVENT_ATTEMPTS_MAX = 5;

/** Jobs that are not asked for at /jobs. */
const OWN_ADDRESS: ReadonlyMap<string, string> = new Map([
  ['delete', '/admin/api/deletions'],
  ['erase', '/admin/api/deletions'],
  ['drill', '/admin/api/drills'],
]);

export class ServerClient {
  readonly #address: ServerAddress;
  readonly #signal: AbortSignal;

  constructor(address: ServerAddress, signal: AbortSignal) {
    this.#address = address;
    this.#signal = signal;
  }

  status(): Promise<StatusView> {
    return this.#json('GET', '/admin/api/status');
  }

  plan(selection: object): Promise<Plan> {
    return this.#json('POST', '/admin/api/plan', selection);
  }

  link(request: object): Promise<{ readonly token: string; readonly expiresAt: string }> {
    return this.#json('POST', '/admin/api/links', request);
  }

  planDeletion(what: object): Promise<Plan> {
    return this.#json('POST', '/admin/api/deletions/plan', what);
  }

  async holds(): Promise<readonly HoldView[]> {
    return (await this.#json<{ holds: readonly HoldView[] }>('GET', '/admin/api/holds')).holds;
  }

  setHold(study: string, reason: string): Promise<HoldReport> {
    return this.#json('POST', '/admin/api/holds', { study, reason });
  }

  clearHold(study: string): Promise<HoldReport> {
    return this.#json('DELETE', `/admin/api/holds/${encodeURIComponent(study)}`);
  }

  failVolume(name: string, plan: boolean): Promise<{ readonly exposed: VolumeExposure }> {
    return this.#json('POST', `/admin/api/volumes/${encodeURIComponent(name)}/fail`, { plan });
  }

  returnVolume(name: string): Promise<{ readonly state: VolumeState }> {
    return this.#json('POST', `/admin/api/volumes/${encodeURIComponent(name)}/return`, {});
  }

  /** Of one volume, or of all with an empty name. */
  async ledgers(name: string): Promise<readonly FailbackLedger[]> {
    const of = name === '' ? '' : `/${encodeURIComponent(name)}`;
    return (await this.#json<{ ledgers: readonly FailbackLedger[] }>('GET', `/admin/api/volumes${of}/ledgers`)).ledgers;
  }

  adoptVolume(name: string, plan: boolean): Promise<AdoptReport> {
    return this.#json('POST', `/admin/api/volumes/${encodeURIComponent(name)}/adopt`, { plan });
  }

  planDrill(request: object): Promise<DrillPlan> {
    return this.#json('POST', '/admin/api/drills/plan', request);
  }

  async jobs(): Promise<readonly JobView[]> {
    return (await this.#json<{ jobs: readonly JobView[] }>('GET', '/admin/api/jobs')).jobs;
  }

  cancelJob(id: string): Promise<JobView> {
    return this.#json('DELETE', `/admin/api/jobs/${encodeURIComponent(id)}`);
  }

  /**
   * Starts a job and waits for its end. When the user stops waiting (Ctrl-C), the job is cancelled.
   * @param onChange called with the job at every step of its progress.
   */
  async runJob({ kind, ...request }: { readonly kind: string }, onChange: (job: JobView) => void): Promise<JobView> {
    const own = OWN_ADDRESS.get(kind);
    const { id } = await (own === undefined
      ? this.#json<{ id: string }>('POST', '/admin/api/jobs', { kind, ...request })
      : this.#json<{ id: string }>('POST', own, request));
    try {
      return await this.#follow(id, onChange);
    } catch (error) {
      if (this.#signal.aborted) await this.#cancelQuietly(id);
      throw error;
    }
  }

  /** One request. Rejects with UNAVAILABLE when nobody answers, else resolves with whatever the answer is. */
  async send(path: string, init: RequestInit & { readonly duplex?: 'half' }): Promise<Response> {
    const { url, token } = this.#address;
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
    try {
      return await fetch(url + path, { signal: this.#signal, ...init, headers });
    } catch (error) {
      if (this.#signal.aborted) throw new ArchiveError('ABORTED', 'stopped');
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).message;
      throw new ArchiveError('UNAVAILABLE', `no answer from ${url} (${cause}); is it running? See --server`, {
        cause: error,
      });
    }
  }

  async #follow(id: string, onChange: (job: JobView) => void): Promise<JobView> {
    const path = `/admin/api/jobs/${encodeURIComponent(id)}`;
    for (let attempt = 0; attempt < EVENT_ATTEMPTS_MAX; attempt += 1) {
      const answer = await this.send(`${path}/events`, { headers: { Accept: 'text/event-stream' } });
      if (!answer.ok || answer.body === null) throw await problemOf(answer);
      try {
        for await (const event of readEvents(answer.body)) {
          const job = JSON.parse(event.data) as JobView;
          if (event.event === 'done') return job;
          onChange(job);
        }
      } catch (error) {
        if (this.#signal.aborted) throw new ArchiveError('ABORTED', 'stopped', { cause: error });
      }
    }
    throw new ArchiveError(
      'UNAVAILABLE',
      `the progress of job ${id} cannot be followed; it may still run: filmroom jobs`,
    );
  }

  async #cancelQuietly(id: string): Promise<void> {
    const init = { method: 'DELETE', signal: AbortSignal.timeout(5000) };
    await this.send(`/admin/api/jobs/${encodeURIComponent(id)}`, init).catch(() => undefined);
  }

  async #json<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await this.send(path, {
      method,
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(CALL_MS)]),
      headers: { Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw await problemOf(answer);
    return (await answer.json()) as T;
  }
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  413: 'LIMIT',
  501: 'NOT_SUPPORTED',
  503: 'UNAVAILABLE',
};

/** What a refusal says, in the server's words. */
export async function problemOf(answer: Response): Promise<ArchiveError> {
  const text = await answer.text().catch(() => '');
  let detail = `the server answered ${answer.status}`;
  try {
    const problem = JSON.parse(text) as { detail?: unknown };
    if (typeof problem.detail === 'string') detail = problem.detail;
  } catch {
    // Not ours: a proxy's page says nothing that helps here.
  }
  if (answer.status === 401) detail += ' (--token, or FILMROOM_TOKEN)';
  return new ArchiveError(CODE_OF_STATUS[answer.status] ?? 'UNAVAILABLE', detail, { retryable: answer.status === 503 });
}
