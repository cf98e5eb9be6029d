// The audit log: who did what to which studies, from where, when, and what became of it (DICOM PS3.15 A.5 and IHE ATNA in spirit, as JSON lines). It is the one
// place where UIDs are written down; names of patients, search values and secrets never are. A request pays for a push onto a list; once a second
// what has gathered is put into words, like ones counted together, and written with one sync.
import type { Clock } from '../../tiering/core/clock.js';
import type { Logger } from '../log.js';
import { Chain, type Head } from './chain.js';

/** Records that wait for the disk. More are counted and lost: nobody waits for a log. */
const WAITING_MAX = 20_000;
const FLUSH_MS = 1_000;
/** So long a batch that one sync is nothing beside it. */
const FLUSH_RECORDS = 2_000;
const EXPIRE_MS = 3_600_000;

export interface AuditRecord {
  /** When it began, in ms since 1970. */
  readonly atMs: number;
  readonly event: string;
  readonly [detail: string]: unknown;
}

export interface AuditState {
  /** `failing`: it cannot be written; requests go on. */
  readonly state: 'on' | 'failing' | 'off';
  readonly detail: string | null;
  /** Records that were lost because it could not be written for long. */
  readonly lost: number;
}

export interface Audit {
  /** Costs a push. */
  record(record: AuditRecord): void;
  /** As `record`, put into words when it is written: null says that there is nothing to write. */
  later(make: () => AuditRecord | null): void;
  state(): AuditState;
  /** Writes what waits. Idempotent. */
  close(): Promise<void>;
}

/** Where the configuration says `audit: off`. */
export const NO_AUDIT: Audit = {
  record: () => undefined,
  later: () => undefined,
  state: () => ({ state: 'off', detail: null, lost: 0 }),
  close: () => Promise.resolve(),
};

export interface AuditOptions {
  readonly path: string;
  readonly retentionMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Begins with a record of the start. Never fails: a folder that cannot be written is an alarm, not a reason to keep images from doctors. */
export function openAudit(options: AuditOptions): Audit {
  return new FileAudit(options);
}

class FileAudit implements Audit {
  readonly #options: AuditOptions;
  readonly #chain: Chain;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #waiting: (AuditRecord | (() => AuditRecord | null))[] = [];
  /** Put into words and not written yet. */
  #unwritten: object[] = [];
  #lost = 0;
  #lostUntold = 0;
  #fault: string | null = null;
  #toldFile: string | null = null;
  #expiredMs = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | null = null;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#chain = new Chain(options.path);
    this.record({ atMs: options.clock.nowMs(), event: 'start', node: process.version });
    this.#loop = this.#run();
  }

  record(record: AuditRecord): void {
    this.#push(record);
  }

  later(make: () => AuditRecord | null): void {
    this.#push(make);
  }

  #push(one: AuditRecord | (() => AuditRecord | null)): void {
    if (this.#waiting.length + this.#unwritten.length < WAITING_MAX) {
      this.#waiting.push(one);
      return;
    }
    this.#lost += 1;
    this.#lostUntold += 1;
  }

  state(): AuditState {
    return { state: this.#fault === null ? 'on' : 'failing', detail: this.#fault, lost: this.#lost };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.record({ atMs: this.#options.clock.nowMs(), event: 'stop' });
    this.#stop.abort(new DOMException('the audit log is closing', 'AbortError'));
    await this.#loop;
    await this.#flush();
    this.#tellHead(this.#chain.head, 'audit log ends');
    await this.#chain.close();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      await this.#flush();
      await clock.sleep(FLUSH_MS, this.#stop.signal).catch(() => undefined);
    }
  }

  async #flush(): Promise<void> {
    const { clock, logger, retentionMs } = this.#options;
    this.#word();
    try {
      while (this.#unwritten.length > 0) {
        const batch = this.#unwritten.slice(0, FLUSH_RECORDS);
        await this.#chain.append(batch, clock.nowMs());
        this.#unwritten.splice(0, batch.length);
      }
      const lost = this.#lostUntold;
      if (lost > 0) {
        await this.#chain.append([{ at: new Date(clock.nowMs()).toISOString(), event: 'gap', lost }], clock.nowMs());
        this.#lostUntold -= lost;
      }
      if (this.#fault !== null) logger.warn('the audit log can be written again');
      this.#fault = null;
      if (this.#chain.head?.file !== this.#toldFile) this.#tellHead(this.#chain.head, 'audit log goes on');
      if (clock.monotonicMs() - this.#expiredMs > EXPIRE_MS) {
        this.#expiredMs = clock.monotonicMs();
        await this.#chain.expire(retentionMs, clock.nowMs());
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'an unexpected error';
      if (this.#fault === null) logger.error({ code }, 'the audit log cannot be written; requests go on');
      this.#fault = `the audit log at ${this.#options.path} cannot be written: ${code}`;
    }
  }

  /** What waits, in words; what differs in nothing but its time is one line with a count. */
  #word(): void {
    const lines = new Map<string, { at: string; count: number; rest: object }>();
    for (const one of this.#waiting.splice(0)) {
      const record = typeof one === 'function' ? one() : one;
      if (record === null) continue;
      const { atMs, ...rest } = record;
      const key = JSON.stringify(rest);
      const known = lines.get(key);
      if (known === undefined) lines.set(key, { at: new Date(atMs).toISOString(), count: 1, rest });
      else known.count += 1;
    }
    for (const { at, count, rest } of lines.values())
      this.#unwritten.push({ at, ...rest, ...(count > 1 && { count }) });
  }

  #tellHead(head: Head | null, message: string): void {
    if (head === null) return;
    this.#toldFile = head.file;
    this.#options.logger.info({ file: head.file, seq: head.seq, sha256: head.sha256 }, message);
  }
}
