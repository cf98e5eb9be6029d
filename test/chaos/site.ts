// A real server with studies in it, and what may be done to it from outside: its disks, its replicas, the proxies before its clouds, its
// process. Many faults are tried at one site in a row; after each it must be whole again, down to the byte.
import { setTimeout as sleep } from 'node:timers/promises';
import { type PhantomInstance, phantomStudies } from '../../dicom/phantom/phantom.js';
import type { StatusView } from '../../gateway/admin/status.js';
import type { RepairReport, ScrubReport } from '../../tiering/archive/reports.js';
import { sha256Of } from '../e2e/gateway-clients.js';
import type { ChaosProxy } from '../support/chaos-proxy.js';
import type { GatewayProcess, JobAnswer } from '../support/gateway-process.js';
import type { NbdDisk } from '../support/nbd-disk.js';
import type { NetworkLink } from '../support/network-link.js';
import type { Rgw } from '../support/rgw.js';
import { retrieve, stow } from '../support/stow.js';
import type { TlsFront } from '../support/tls-front.js';
import { ownersOn } from './stored-objects.js';

/** An instance as it was sent. */
export interface Sent {
  readonly study: string;
  readonly series: string;
  readonly sop: string;
  readonly bytes: Uint8Array;
  readonly fileName: string;
}

export interface SiteParts {
  readonly gateway: GatewayProcess;
  /** Folders of directory replicas, in order. */
  readonly folders: readonly string[];
  readonly rgw: Rgw | null;
  /** One before each cloud. */
  readonly proxies: readonly ChaosProxy[];
  /** What the volume and the index lie on. */
  readonly disks: { readonly volume: NbdDisk; readonly index: NbdDisk } | null;
  readonly lines: Lines | null;
  /** Undoes what was made, after the server is gone. Each may be called however far its making came. */
  readonly undo: readonly (() => Promise<void> | void)[];
}

/** Lines to the clouds that can be cut below HTTP: one each. */
export interface Lines {
  readonly net: NetworkLink;
  readonly tls: TlsFront;
  /** Whether the third cloud's name is known to the server. */
  know(known: boolean): void;
}

const COMPARED_AT_ONCE = 4;
const MIGRATES_MAX = 20;
const REPAIR_MS_MAX = 180_000;

export class Site {
  readonly parts: SiteParts;
  /** Evicted: on replicas alone. */
  cold: readonly PhantomInstance[] = [];
  /** On the volume and on replicas. */
  hot: readonly PhantomInstance[] = [];
  /** Directory replicas: the chunks and packs (`m/…`) of both. */
  first: ReadonlySet<string> = new Set();
  /** Everything else that was acknowledged. */
  readonly stored: Sent[] = [];
  readonly #phantoms: Generator<PhantomInstance, never>;

  constructor(parts: SiteParts, seed: number) {
    this.parts = parts;
    this.#phantoms = endless(seed);
  }

  get gateway(): GatewayProcess {
    return this.parts.gateway;
  }

  get url(): string {
    return this.gateway.url;
  }

  /** The volume's folder. */
  get volume(): string {
    return `${this.gateway.dir}/disk/volume`;
  }

  get index(): string {
    return `${this.gateway.dir}/index`;
  }

  get protectedCount(): number {
    return this.cold.length + this.hot.length;
  }

  /** The protected instances in turn, cold ones and hot ones. */
  protectedOne(at: number): PhantomInstance {
    const from = at % 2 === 0 ? this.cold : this.hot;
    const one = from[Math.floor(at / 2) % Math.max(1, from.length)];
    if (one === undefined) throw new Error('the site is empty');
    return one;
  }

  /** One that was never sent. */
  nextPhantom(): PhantomInstance {
    return this.#phantoms.next().value;
  }

  /** The proxy before a cloud. */
  proxy(at: number): ChaosProxy {
    const proxy = this.parts.proxies[at];
    if (proxy === undefined) throw new Error('the site has no such cloud');
    return proxy;
  }

  folder(at: number): string {
    const folder = this.parts.folders[at];
    if (folder === undefined) throw new Error('the site has no such directory replica');
    return folder;
  }

  get disks(): NonNullable<SiteParts['disks']> {
    if (this.parts.disks === null) throw new Error('the site has no disks of its own');
    return this.parts.disks;
  }

  /** Two studies that are cold, and one that is hot and protected. */
  async fill(): Promise<void> {
    const phantoms = [...phantomStudies({ seed: 3, studies: 3, slices: 4, shrink: 8 })];
    const [first, second] = [...new Set(phantoms.map(({ study }) => study))];
    this.cold = phantoms.filter(({ study }) => study === first || study === second);
    this.hot = phantoms.filter(({ study }) => study !== first && study !== second);
    await this.store(this.cold);
    await this.#migrated({ all: true });
    await this.store(this.hot);
    await this.#migrated({ all: true, keepHot: true });
    this.first = new Set(this.parts.folders.flatMap(ownersOn));
  }

  /** Where other work takes the machine, a cloud may not answer in time; what is owed then is done at the next try. */
  async #migrated(selection: Record<string, unknown>): Promise<void> {
    for (let left = MIGRATES_MAX; ; left -= 1) {
      const answer = await this.gateway.job('migrate', selection);
      if (answer.state === 'done') return;
      if (left === 1) throw new Error(`migrate ended ${answer.state}`);
      await sleep(1_000);
    }
  }

  async store(phantoms: readonly PhantomInstance[]): Promise<void> {
    const answer = await stow(
      this.url,
      phantoms.map(({ bytes }) => bytes),
    );
    if (answer.status !== 200) throw new Error(`store answered ${answer.status}: ${answer.text.slice(0, 300)}`);
  }

  /** Runs a job to its end; rejects unless all of it was done. */
  async job(kind: string, body: Record<string, unknown> = {}): Promise<JobAnswer> {
    const answer = await this.gateway.job(kind, body);
    if (answer.state !== 'done') throw new Error(`${kind} ended ${answer.state}: ${JSON.stringify(answer.report)}`);
    return answer;
  }

  async scrub(deep = true): Promise<ScrubReport> {
    return (await this.#reportOf('scrub', { deep })) as unknown as ScrubReport;
  }

  async repair(): Promise<RepairReport> {
    return (await this.#reportOf('repair')) as unknown as RepairReport;
  }

  async #reportOf(kind: string, body: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const { report, ...job } = await this.gateway.job(kind, body);
    if (report === undefined || report === null)
      throw new Error(`${kind} failed: ${JSON.stringify(job['error'] ?? job)}`);
    return report;
  }

  /** What `filmroom status --json` says; null where it does not answer. */
  async view(): Promise<StatusView | null> {
    try {
      const answer = await fetch(`${this.url}/admin/api/status`, { signal: AbortSignal.timeout(10_000) });
      return answer.ok ? ((await answer.json()) as StatusView) : null;
    } catch {
      return null;
    }
  }

  /** What is not as it ought to be (a volume may be slow: the machine is busy): readiness, volumes, replicas, where arrivals go, the audit log; null when all is well. */
  async unwell(): Promise<string | null> {
    const ready = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(10_000) }).catch(() => null);
    const view = ready?.ok === true ? await this.view() : null;
    if (view === null) return 'not ready';
    const away = view.replicas.filter(({ state }) => state !== 'available').map(({ name }) => `${name} unavailable`);
    const volumes = view.volumes
      .filter(({ state }) => state !== 'healthy' && state !== 'slow')
      .map(({ name, state }) => `volume ${name} ${state}`);
    const others = [
      ...(view.ingest === 'volume' ? [] : [`arrivals ${view.ingest}`]),
      ...(view.audit.state === 'failing' ? ['audit failing'] : []),
      ...(view.stopped === null ? [] : ['index stopped']),
    ];
    const all = [...volumes, ...others, ...away];
    return all.length === 0 ? null : all.join(', ');
  }

  /** Takes every volume out of use and back in: what was held against it for failing often is settled by the operator's word. */
  async settleVolumes(): Promise<void> {
    for (const { name } of (await this.view())?.volumes ?? []) {
      for (const action of ['fail', 'return']) {
        const headers = { 'content-type': 'application/json' };
        const path = `${this.url}/admin/api/volumes/${name}/${action}`;
        await (await fetch(path, { method: 'POST', headers, body: '{}' })).arrayBuffer();
      }
    }
  }

  async whole(): Promise<boolean> {
    return (await this.unwell()) === null;
  }

  /** What cold reads answer, each status once. */
  async coldStatuses(): Promise<string> {
    const seen = new Set<number>();
    for (const { study, series, sop } of this.cold) {
      const path = `studies/${study}/series/${series}/instances/${sop}`;
      const answer = await fetch(`${this.url}/dicomweb/${path}`, {
        headers: { accept: 'application/dicom; transfer-syntax=*' },
      });
      await answer.arrayBuffer();
      seen.add(answer.status);
    }
    return [...seen].sort((a, b) => a - b).join(', ');
  }

  /** Those that do not come back as they were sent, and how. */
  async compare(phantoms: readonly Sent[]): Promise<string[]> {
    const bad: string[] = [];
    const left = [...phantoms];
    const reader = async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) {
        const got = await retrieve(this.url, one).then(sha256Of, (error: unknown) => String(error).slice(0, 100));
        if (got !== sha256Of(one.bytes)) bad.push(`${one.fileName}: ${got}`);
      }
    };
    await Promise.all(Array.from({ length: COMPARED_AT_ONCE }, reader));
    return bad;
  }

  /** Everything that was ever acknowledged, all of it in the quorum's hands, and nothing that a deep scrub finds. */
  async verify(stored: readonly Sent[]): Promise<string[]> {
    const problems = (await this.compare([...this.cold, ...this.hot, ...stored])).map((bad) => `changed: ${bad}`);
    const deadline = performance.now() + REPAIR_MS_MAX;
    for (;;) {
      const { failures } = await this.repair();
      const { findings, unavailable } = await this.scrub();
      const damage = findings.filter(({ fault }) => fault !== 'unknown');
      if (failures.length + damage.length + unavailable.length === 0) return problems;
      if (performance.now() < deadline) {
        await sleep(500);
        continue;
      }
      const said = [...failures.map(({ code }) => code), ...damage.map((one) => `${one.fault} at ${one.where}`)];
      return [...problems, `not mended: ${[...said, ...unavailable].slice(0, 5).join(', ')}`];
    }
  }

  async close(): Promise<void> {
    await this.gateway.kill();
    for (const undo of [...this.parts.undo].reverse()) await undo();
    await this.gateway.destroy();
  }
}

function* endless(seed: number): Generator<PhantomInstance, never> {
  for (let next = seed; ; next += 1) yield* phantomStudies({ seed: next, studies: 3, slices: 3, shrink: 16 });
}
