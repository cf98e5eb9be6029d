// Runs faults: one server for many of a stage in a row, several servers beside one another, since most of it is waiting. A server that is not
// whole again after a fault is not used for the next.
import type { Fault, Row } from './fault.js';
import { lacks } from './needs.js';
import type { Site } from './site.js';
import { makeSite, SharedClouds } from './stages.js';
import { skippedRow, tryFault } from './try-fault.js';

export interface RunOptions {
  /** Servers at once. */
  readonly lanes: number;
  readonly onRow?: (row: Row) => void;
}

/** Faults that one server is asked to survive in a row. */
const SHARE_MAX = 24;

export class LibraryRun {
  readonly #rows = new Map<Fault, Promise<Row>>();
  readonly #clouds = new SharedClouds();
  readonly #sites = new Set<Site>();
  #ended: Promise<unknown> = Promise.resolve();

  /** Begins at once. */
  constructor(faults: readonly Fault[], { lanes, onRow = () => undefined }: RunOptions) {
    const waiting = shares(faults).map((share) => () => this.#runShare(share, onRow));
    const settle = new Map<Fault, (row: Promise<Row>) => void>();
    for (const fault of faults) this.#rows.set(fault, new Promise((resolve) => settle.set(fault, resolve)));
    this.#settle = settle;
    const lane = async () => {
      for (let work = waiting.shift(); work !== undefined; work = waiting.shift()) await work();
    };
    this.#ended = Promise.all(Array.from({ length: lanes }, lane));
  }

  readonly #settle: ReadonlyMap<Fault, (row: Promise<Row>) => void>;

  /** What became of one of them, once it has been tried. */
  row(fault: Fault): Promise<Row> {
    return this.#rows.get(fault) ?? Promise.reject(new Error(`${fault.name} is not in this run`));
  }

  /** Ends everything that it started, at once. */
  async abandon(): Promise<void> {
    await Promise.all([...this.#sites].map((site) => site.close().catch(() => undefined)));
    await this.#clouds.close();
  }

  async close(): Promise<void> {
    await this.#ended;
    await this.#clouds.close();
  }

  async #runShare(faults: readonly Fault[], onRow: (row: Row) => void): Promise<void> {
    let shared: Site | null = null;
    for (const fault of faults) {
      const missing = lacks(fault);
      let row: Row;
      if (missing !== null) row = skippedRow(fault, missing);
      else {
        const site: Site | Error =
          (fault.alone ? null : shared) ?? (await makeSite(fault.stage, this.#clouds).catch(asError));
        if (site instanceof Error)
          row = { ...skippedRow(fault, ''), skipped: null, problems: [site.message.slice(0, 300)] };
        else {
          this.#sites.add(site);
          row = await tryFault(fault, site);
          if (!fault.alone) shared = site;
          if (fault.alone || row.problems.length > 0) {
            await site.close();
            this.#sites.delete(site);
            if (shared === site) shared = null;
          }
        }
      }
      onRow(row);
      this.#settle.get(fault)?.(Promise.resolve(row));
    }
    if (shared !== null) await shared.close();
  }
}

/** Those of one stage, in shares that are about as long. */
function shares(faults: readonly Fault[]): (readonly Fault[])[] {
  const stages = [...new Set(faults.map(({ stage }) => stage))];
  return stages.flatMap((stage) => {
    const all = faults.filter((one) => one.stage === stage);
    const count = Math.ceil(all.length / SHARE_MAX);
    return Array.from({ length: count }, (_, at) => all.filter((__, n) => Math.floor((n * count) / all.length) === at));
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
