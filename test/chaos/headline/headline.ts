// The headline: the volume's disk starts to answer with EIO, is then gone, and comes back empty, while viewers read protected studies and modalities send. No
// read fails, no store fails, and in the end the hot tier is whole, to the byte, with every cloud cut off.
import { setTimeout as sleep } from 'node:timers/promises';
import { bareLimit } from '../../../bench/cloud-direct.js';
import { bareClient } from '../../../bench/support/clouds.js';
import { Corpus, stowRequests } from '../../../bench/support/corpus.js';
import { postAll, withClient } from '../../../bench/support/http-client.js';
import { type PhantomInstance, phantomStudies } from '../../../dicom/phantom/phantom.js';
import type { AdoptReport } from '../../../tiering/archive/reports.js';
import { sha256Of } from '../../e2e/gateway-clients.js';
import { retrieve, stow } from '../../support/stow.js';
import { CLOUDS, Hospital } from './hospital.js';
import { type PhaseCounts, Ward } from './ward.js';

export interface HeadlineOptions {
  /** How long each phase lasts at least. */
  readonly phaseMs: number;
  /** Studies that are protected before it begins. */
  readonly studies: number;
  /** Rounds in which the rate without a volume is measured beside bare PUTs; 0: not at all. */
  readonly rounds: number;
  readonly tell: (line: string) => void;
}

/** Something that must be true. */
export interface Claim {
  readonly what: string;
  readonly holds: boolean;
  readonly seen: string;
}

/** Something that is aimed at. */
export interface Target {
  readonly what: string;
  readonly met: boolean;
  readonly seen: string;
}

const MIB = 1024 * 1024;
const PAUSE_MS_TARGET = 2_000;
const SHARE_TARGET = 0.5;
const BURST_INSTANCES = 160;
const CONNECTIONS = 4;
const PER_REQUEST = 10;
const COMPARED_AT_ONCE = 4;

/** The whole run. Rejects when it cannot be made; what it found is in the result. */
export async function headline(options: HeadlineOptions): Promise<{ claims: Claim[]; targets: Target[] }> {
  const hospital = await Hospital.open();
  try {
    return await new Headline(hospital, options).run();
  } finally {
    await hospital.close();
  }
}

class Headline {
  readonly #hospital: Hospital;
  readonly #options: HeadlineOptions;
  readonly #claims: Claim[] = [];
  readonly #targets: Target[] = [];
  readonly #corpus = new Corpus();
  readonly #burst: PhantomInstance[] = [];

  constructor(hospital: Hospital, options: HeadlineOptions) {
    this.#hospital = hospital;
    this.#options = options;
  }

  async run(): Promise<{ claims: Claim[]; targets: Target[] }> {
    const { phaseMs, studies, tell } = this.#options;
    const hospital = this.#hospital;
    const phantoms = [...phantomStudies({ seed: 1, studies, slices: 10, shrink: 2 })];
    await this.#protect(phantoms);
    tell(`${phantoms.length} instances of ${studies} studies are on the volume and on the quorum of ${CLOUDS} clouds`);

    const arrivals = endless(2);
    const ward = new Ward(hospital.url, phantoms, () => Array.from({ length: 3 }, () => arrivals.next().value));
    ward.begin({ viewers: 3, modalities: 2 });
    const seen: PhaseCounts[] = [];
    const phase = (name: string) => {
      const counts = ward.phase();
      seen.push(counts);
      tell(`${name}: ${describe(counts)}`);
    };
    try {
      await sleep(phaseMs);
      phase('all is well');

      const broken = hospital.breakDisk();
      const noticedMs = await hospital.until('the volume is failed', () => this.#volumeIs('failed'));
      await broken;
      tell(`the disk answers with EIO; noticed after ${Math.round(noticedMs)} ms`);
      await sleep(phaseMs);
      phase('the disk answers with EIO');
      // Acknowledged by the volume or without it: the answer may have reached the modality after the failure was noticed.
      const early = [...ward.acknowledged];

      hospital.removeDisk();
      await sleep(phaseMs);
      await this.#rate();
      phase('the disk is gone');

      await hospital.replaceDisk();
      const plan = await hospital.volume<AdoptReport>('adopt', 'a');
      const adopted = await hospital.volume<AdoptReport>('adopt', 'a', '--yes');
      tell(`an empty disk is adopted: ${plan.recalled.packs} packs to bring back, ${plan.lost.instances} given up`);
      this.#claim(
        'the empty disk is taken in',
        adopted.state === 'healthy' || adopted.state === 'slow',
        `volume a is ${adopted.state}`,
      );
      await this.#sendAgain(early, adopted);
      await sleep(phaseMs);
      await ward.stopSending();
      const wholeMs = await hospital.until('the hot tier is whole', () => this.#isWhole());
      phase('the disk is back, empty');
      tell(`whole again ${Math.round(wholeMs)} ms after the last arrival`);
      await ward.end();
      await this.#verdict(seen);
      await this.#compare([...phantoms, ...this.#burst, ...ward.acknowledged]);
    } finally {
      await ward.end();
    }
    return { claims: this.#claims, targets: this.#targets };
  }

  #claim(what: string, holds: boolean, seen: string): void {
    this.#claims.push({ what, holds, seen });
  }

  async #protect(phantoms: readonly PhantomInstance[]): Promise<void> {
    await this.#store(phantoms);
    const job = await this.#hospital.server.job('migrate', { all: true, keepHot: true });
    if (job.state !== 'done') throw new Error(`migrate ended ${job.state}`);
  }

  async #store(phantoms: readonly PhantomInstance[]): Promise<void> {
    for (let at = 0; at < phantoms.length; at += PER_REQUEST) {
      const files = phantoms.slice(at, at + PER_REQUEST).map(({ bytes }) => bytes);
      const { status, text } = await stow(this.#hospital.url, files);
      if (status !== 200) throw new Error(`store answered ${status}: ${text.slice(0, 300)}`);
    }
  }

  async #volumeIs(state: string): Promise<boolean> {
    return (await this.#hospital.status()).volumes.every((one) => one.state === state);
  }

  /** Everything hot, nothing to bring back, and the ledger has ended. */
  async #isWhole(): Promise<boolean> {
    const { refill, studies, ingest } = await this.#hospital.status();
    if (refill.packs > 0 || studies.cold > 0 || ingest !== 'volume') return false;
    return (await this.#hospital.ledger())?.endedAt !== null;
  }

  /** With no volume and the ward at work: stores beside bare PUTs of as many bytes, in turn. */
  async #rate(): Promise<void> {
    const { rounds } = this.#options;
    if (rounds === 0) return;
    const clients = Array.from({ length: CLOUDS }, (_, at) => bareClient(this.#hospital.clouds.site(at)));
    const ours: number[] = [];
    const bare: number[] = [];
    try {
      for (let round = 0; round < rounds; round += 1) {
        const phantoms = this.#corpus.take(BURST_INSTANCES);
        this.#burst.push(...phantoms);
        const bytes = phantoms.reduce((sum, one) => sum + one.bytes.length, 0);
        const requests = stowRequests(phantoms, PER_REQUEST);
        const begun = performance.now();
        await withClient(this.#hospital.url, CONNECTIONS, (client) =>
          postAll(client, '/dicomweb/studies', requests, CONNECTIONS),
        );
        ours.push((bytes / MIB / (performance.now() - begun)) * 1000);
        bare.push(await bareLimit(clients, bytes, `headline-${round}`));
      }
    } finally {
      for (const client of clients) client.destroy();
    }
    const share = median(ours) / median(bare);
    const seen = `${share.toFixed(2)} (${median(ours).toFixed(0)} of ${median(bare).toFixed(0)} MiB/s, medians of ${rounds} rounds, the ward at work beside both)`;
    this.#options.tell(`rate without a volume: ${seen}`);
    this.#targets.push({
      what: `rate of stores with no volume, of bare PUTs to the quorum: at least ${SHARE_TARGET}`,
      met: share >= SHARE_TARGET,
      seen,
    });
  }

  async #verdict(seen: readonly PhaseCounts[]): Promise<void> {
    const total = (of: (one: PhaseCounts) => number) => seen.reduce((sum, one) => sum + of(one), 0);
    const most = (of: (one: PhaseCounts) => number) => Math.round(Math.max(...seen.map(of)));
    const why = seen.find(({ firstFailure }) => firstFailure !== null)?.firstFailure ?? '';
    const reads = total((one) => one.readsFailed);
    this.#claim(
      'no read of a protected study fails',
      reads === 0,
      `${reads} of ${total((one) => one.reads)} failed; the slowest took ${most((one) => one.slowestRead)} ms ${why}`,
    );
    const stores = total((one) => one.storesFailed);
    this.#claim('no store fails', stores === 0, `${stores} of ${total((one) => one.stores)} failed ${why}`);
    const pause = most((one) => Math.max(one.slowestStore, one.longestPause));
    this.#targets.push({
      what: `longest pause of stores: at most ${PAUSE_MS_TARGET} ms`,
      met: pause <= PAUSE_MS_TARGET,
      seen: `${pause} ms (slowest store ${most((one) => one.slowestStore)} ms, longest without an acknowledgement ${most((one) => one.longestPause)} ms)`,
    });
    const ledger = await this.#hospital.ledger();
    if (ledger === undefined) return;
    const { missing, repaired, takenIn, atRisk, outcome, report } = ledger;
    this.#claim(
      'the ledger is complete, and signed',
      outcome === 'complete' && report !== null,
      `${outcome}: missing ${missing.packs} packs, repaired ${repaired.packs}, lost ${atRisk.lost.instances} instances, taken in meanwhile ${takenIn.instances}; ${report}`,
    );
  }

  /** What the old disk took with it before any replica had it: named by the adoption, told as lost, and healed by sending it again. */
  async #sendAgain(early: readonly PhantomInstance[], { lost: named }: AdoptReport): Promise<void> {
    const lost: PhantomInstance[] = [];
    for (const phantom of early) if (await this.#isLost(phantom)) lost.push(phantom);
    this.#claim(
      'what was on the old disk alone is what the adoption named, and nothing else',
      lost.length === named.instances,
      `${lost.length} of ${early.length} instances stored until then were on no replica yet, ${named.instances} named; sent again`,
    );
    await this.#store(lost);
  }

  /** Everything that was acknowledged, with no cloud to read it from. */
  async #compare(all: readonly PhantomInstance[]): Promise<void> {
    await this.#hospital.cutClouds();
    const left = [...all];
    let equal = 0;
    let first = '';
    const reader = async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) {
        const got = await retrieve(this.#hospital.url, one).then(sha256Of, (error: unknown) => String(error));
        if (got === sha256Of(one.bytes)) equal += 1;
        else first ||= got.slice(0, 200);
      }
    };
    await Promise.all(Array.from({ length: COMPARED_AT_ONCE }, reader));
    this.#claim(
      'with every cloud cut off, the hot tier has everything, and every SHA-256 is equal',
      equal === all.length,
      `${equal} of ${all.length} instances are equal ${first}`,
    );
  }

  async #isLost({ study, series, sop }: PhantomInstance): Promise<boolean> {
    const path = `/dicomweb/studies/${study}/series/${series}/instances/${sop}`;
    const answer = await fetch(this.#hospital.url + path, {
      headers: { accept: 'application/dicom; transfer-syntax=*' },
    });
    await answer.arrayBuffer();
    return answer.status === 500;
  }
}

function describe(counts: PhaseCounts): string {
  const ms = (value: number) => `${Math.round(value)} ms`;
  return [
    `${counts.reads} reads, ${counts.readsFailed} failed, slowest ${ms(counts.slowestRead)}`,
    `${counts.stores} stores, ${counts.storesFailed} failed, slowest ${ms(counts.slowestStore)}`,
    `longest pause ${ms(counts.longestPause)}`,
    ...(counts.firstFailure === null ? [] : [counts.firstFailure]),
  ].join('; ');
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function* endless(seed: number): Generator<PhantomInstance, never> {
  for (let next = seed; ; next += 1) yield* phantomStudies({ seed: next, studies: 3, slices: 8, shrink: 4 });
}
