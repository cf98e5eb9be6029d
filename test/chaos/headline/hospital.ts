// What the headline run stands on, all of it real: three S3 clouds, the server as an operator starts it, and its volume on a disk that breaks on command.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Clouds } from '../../../bench/support/clouds.js';
import type { StatusView } from '../../../gateway/admin/status.js';
import type { FailbackLedger } from '../../../tiering/archive/reports.js';
import { filmroom } from '../../e2e/gateway-clients.js';
import { GatewayProcess } from '../../support/gateway-process.js';
import { NbdDisk } from '../../support/nbd-disk.js';

export const CLOUDS = 3;
const DISK_SIZE = '4g';
const WAIT_MS_MAX = 180_000;

export class Hospital {
  readonly clouds: Clouds;
  readonly server: GatewayProcess;
  #disk: NbdDisk;
  #disks = 1;

  private constructor(clouds: Clouds, server: GatewayProcess, disk: NbdDisk) {
    this.clouds = clouds;
    this.server = server;
    this.#disk = disk;
  }

  static async open(): Promise<Hospital> {
    const clouds = await Clouds.start(CLOUDS);
    const server = await GatewayProcess.prepare({
      index: { url: 'sqlite:./index/filmroom.db' },
      hot: { volumes: [{ name: 'a', path: './disk' }], settle: '2s' },
      cold: { keyring: './keyring.json', replicas: clouds.replicas(CLOUDS), writeQuorum: 2 },
      tiering: { protectAfter: '1s' },
    });
    const disk = await newDisk(server, 1);
    await server.start();
    return new Hospital(clouds, server, disk);
  }

  get url(): string {
    return this.server.url;
  }

  /** Every read and write of the disk ends with EIO from now on. */
  async breakDisk(): Promise<void> {
    await this.#disk.fail();
  }

  /** The disk is taken from its place: what is left there is an empty folder. */
  removeDisk(): void {
    this.#disk.unmount();
  }

  /** Another disk with an empty file system comes into its place. */
  async replaceDisk(): Promise<void> {
    await this.#disk.dispose();
    this.#disks += 1;
    this.#disk = await newDisk(this.server, this.#disks);
  }

  /** `filmroom volume …` with --json, as an operator types it. */
  async volume<T>(...words: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await filmroom(['volume', ...words, '--server', this.url, '--json']);
    if (stdout === '') throw new Error(`filmroom volume ${words.join(' ')}: ${code} ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  async ledger(): Promise<FailbackLedger | undefined> {
    const { ledgers } = await this.volume<{ ledgers: readonly FailbackLedger[] }>('ledger', 'a');
    return ledgers[0];
  }

  async status(): Promise<StatusView> {
    const answer = await fetch(`${this.url}/admin/api/status`, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`status answered ${answer.status}`);
    return (await answer.json()) as StatusView;
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<number> {
    const begun = performance.now();
    while (!(await holds())) {
      if (performance.now() - begun > WAIT_MS_MAX) {
        const { studies, refill, volumes, replicas, ingest, unprotected } = await this.status();
        const now = { studies, refill, volumes, replicas, ingest, unprotected, ledger: await this.ledger() };
        const log = this.server.output.split('\n').slice(-20).join('\n');
        throw new Error(`waited too long for: ${what}; ${JSON.stringify(now)}\n${log}`);
      }
      await sleep(200);
    }
    return performance.now() - begun;
  }

  /** No cloud answers any more. */
  async cutClouds(): Promise<void> {
    for (let n = 0; n < CLOUDS; n += 1) await this.clouds.site(n).stop();
  }

  async close(): Promise<void> {
    await this.server.kill();
    await this.#disk.dispose();
    await this.server.destroy();
    await this.clouds.close();
  }
}

function newDisk(server: GatewayProcess, number: number): Promise<NbdDisk> {
  const parts = join(server.dir, `disk-${number}`);
  return NbdDisk.create(parts, join(server.dir, 'disk'), { size: DISK_SIZE, journal: true });
}
