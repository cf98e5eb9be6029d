// A whole archive over three real S3 clouds, each behind a proxy that misbehaves on command, and what must hold of it whatever they do:
// nothing is lost or changed, nothing away is taken for absent, and all is whole again once the clouds behave.
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import type { Archive } from '../../tiering/archive/archive.js';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { createS3Store } from '../../tiering/cold/s3/s3-object-store.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { codeOf } from '../../tiering/core/errors.js';
import type { ObjectKey } from '../../tiering/core/ids.js';
import { ArchiveRig, type RigOptions, readAll, storeBytes } from '../support/archive-rig.js';
import { ChaosProxy } from '../support/chaos-proxy.js';
import { PHANTOMS, scopeOf, WAIT } from '../support/removal-rig.js';
import { type Rgw, type RgwSite, rgwInstalled, startRgw } from '../support/rgw.js';
import { makeBucket } from './gateway-clients.js';

export const isChunk = (key: string) => key.startsWith('c/');
export type Phantom = (typeof PHANTOMS)[number];
export const NAMES: readonly string[] = ['r1', 'r2', 'r3'];

/** What tests put beside the archive's own objects is reported too, and is no damage. */
const isDamage = ({ fault }: { readonly fault: string }) => fault !== 'unknown';

/** Short, so that a hung cloud costs a test a second; an attempt that answers on a busy machine is far below. */
const IMPATIENT = { idleMs: 1_000, attemptMs: 3_000 } as const;

class Clouds {
  readonly rgw: Rgw;
  readonly proxies: readonly ChaosProxy[];
  #buckets = 0;

  private constructor(rgw: Rgw, proxies: readonly ChaosProxy[]) {
    this.rgw = rgw;
    this.proxies = proxies;
  }

  static async start(): Promise<Clouds> {
    const rgw = await startRgw({ sites: NAMES.length });
    return new Clouds(rgw, await Promise.all(rgw.sites.map(({ endpoint }, at) => ChaosProxy.start(endpoint, at + 1))));
  }

  async behave(): Promise<void> {
    for (const proxy of this.proxies) await proxy.behave();
  }

  async close(): Promise<void> {
    for (const proxy of this.proxies) await proxy.close();
    await this.rgw.close();
  }

  /** An archive with a new bucket on every cloud; `endpoints` replaces where a replica is looked for. */
  async archive(
    options: RigOptions & {
      readonly endpoints?: Readonly<Record<string, string>>;
      /** PEM certificates to trust. */
      readonly ca?: string;
    } = {},
  ): Promise<CloudArchive> {
    this.#buckets += 1;
    const bucket = `chaos-${this.#buckets}`;
    await Promise.all(this.rgw.sites.map((site) => makeBucket(site, bucket)));
    const rig = await ArchiveRig.create({
      replicas: NAMES,
      writeQuorum: 2,
      ...options,
      store: async (name) => {
        const at = NAMES.indexOf(name);
        const endpoint = options.endpoints?.[name] ?? this.proxies[at]?.endpoint ?? '';
        return storeAt(this.#site(at), bucket, endpoint, options.ca);
      },
    });
    const direct = this.rgw.sites.map((site) => storeAt(site, bucket, site.endpoint));
    return new CloudArchive(this, rig, direct);
  }

  #site(at: number): RgwSite {
    return this.rgw.sites[at] ?? expect.fail('no such cloud');
  }
}

function storeAt(site: RgwSite, bucket: string, endpoint: string, ca?: string): ObjectStore {
  const { region, accessKeyId, secretAccessKey } = site;
  const place = { bucket, endpoint, region, accessKeyId, secretAccessKey, provider: 'ceph' } as const;
  const trusted = ca === undefined ? {} : { ca };
  return createS3Store({ ...place, ...trusted, ...IMPATIENT, clock: systemClock, random: systemRandom });
}

let clouds: Clouds | undefined;
const open: CloudArchive[] = [];

/** The proxy in front of one cloud. */
export function cloud(at: number): ChaosProxy {
  return clouds?.proxies[at] ?? expect.fail('no such cloud');
}

export function allClouds(): Clouds {
  return clouds ?? expect.fail('the clouds are not up');
}

/** An open archive with nothing in it. */
export async function warm(options: Parameters<Clouds['archive']>[0] = {}): Promise<CloudArchive> {
  const one = await allClouds().archive(options);
  open.push(one);
  await one.rig.open();
  return one;
}

/** An open archive whose studies are all cold. */
export async function cold(): Promise<CloudArchive> {
  const one = await warm();
  await one.storeCold();
  return one;
}

/** A suite over three clouds, which behave again after each test. */
export function describeClouds(title: string, suites: () => void): void {
  describe.skipIf(!rgwInstalled())(`${title} (needs radosgw, ceph-mon, ceph-osd, ceph-common)`, () => {
    beforeAll(async () => {
      clouds = await Clouds.start();
    });
    afterAll(() => clouds?.close());
    afterEach(async () => {
      for (const one of open.splice(0)) await one.destroy();
      await clouds?.behave();
    });
    suites();
  });
}

export class CloudArchive {
  readonly rig: ArchiveRig;
  /** The buckets themselves, past the proxies. */
  readonly #direct: readonly ObjectStore[];
  readonly #clouds: Clouds;

  constructor(clouds: Clouds, rig: ArchiveRig, direct: readonly ObjectStore[]) {
    this.#clouds = clouds;
    this.rig = rig;
    this.#direct = direct;
  }

  get archive(): Archive {
    return this.rig.archive;
  }

  /** A cloud's bucket, past its proxy. */
  bucket(at: number): ObjectStore {
    return this.#direct[at] ?? expect.fail('no such cloud');
  }

  async store(phantoms: readonly Phantom[] = PHANTOMS): Promise<void> {
    const outcomes = await Promise.all(phantoms.map(({ bytes }) => storeBytes(this.archive, bytes)));
    expect(outcomes.map(({ status }) => status)).toEqual(phantoms.map(() => 'stored'));
  }

  /** Stored, sealed, on every cloud, and nowhere else. */
  async storeCold(): Promise<void> {
    await this.store();
    expect(await this.archive.migrate({ all: true })).toMatchObject({ failures: [] });
    expect((await this.archive.status()).index.studies).toMatchObject({ cold: 3, hot: 0 });
    expect(await this.debts()).toEqual([0, 0, 0]);
  }

  async debts(): Promise<number[]> {
    const { debt } = (await this.archive.status()).index;
    return [...debt.values()].map(({ packs }) => packs);
  }

  async read(phantom: Phantom): Promise<Buffer> {
    return readAll(this.archive.read(await this.archive.instance(scopeOf(phantom))));
  }

  /** I2: every byte is what it was. */
  async expectEqual(phantoms: readonly Phantom[] = PHANTOMS): Promise<void> {
    for (const phantom of phantoms) {
      expect(Buffer.compare(await this.read(phantom), phantom.bytes), phantom.fileName).toBe(0);
    }
  }

  /** I7: what can be read is equal, and what cannot is unavailable, whatever the clouds say. Resolves with how many those are. */
  async expectNoneAbsent(phantoms: readonly Phantom[] = PHANTOMS): Promise<number> {
    let unavailable = 0;
    for (const phantom of phantoms) {
      try {
        expect(Buffer.compare(await this.read(phantom), phantom.bytes), phantom.fileName).toBe(0);
      } catch (error) {
        expect(codeOf(error), String(error)).toBe('UNAVAILABLE');
        unavailable += 1;
      }
    }
    return unavailable;
  }

  /** Waits until every cloud is asked again. */
  async available(): Promise<void> {
    const states = async () => (await this.archive.status()).replicas.map(({ state }) => state);
    await expect.poll(states, WAIT).toEqual(NAMES.map(() => 'available'));
  }

  /** The clouds behave again: one repair, and all is whole on each of them, proven byte by byte. */
  async expectWholeAgain(phantoms: readonly Phantom[] = PHANTOMS): Promise<void> {
    await this.#clouds.behave();
    await this.available();
    await this.archive.scrub({ deep: true });
    expect(await this.archive.repair()).toMatchObject({ failures: [] });
    const { findings, unavailable } = await this.archive.scrub({ deep: true });
    expect([...findings.filter(isDamage), ...unavailable]).toEqual([]);
    expect(await this.debts()).toEqual([0, 0, 0]);
    await this.expectEqual(phantoms);
  }

  /** Everything that was put on one cloud is on it once, and is what the others have. */
  async expectSameKeys(): Promise<void> {
    const [a, b, c] = await Promise.all(NAMES.map((_, at) => this.keys(at, '')));
    expect(a).toEqual(b);
    expect(a).toEqual(c);
  }

  async keys(at: number, prefix: string): Promise<ObjectKey[]> {
    const keys: ObjectKey[] = [];
    for await (const { key } of this.bucket(at).list(prefix)) keys.push(key);
    return keys;
  }

  /** The longest chunk of all, with its bytes. */
  async longestChunk(): Promise<{ readonly key: ObjectKey; readonly bytes: Uint8Array }> {
    let longest = { key: '' as ObjectKey, bytes: 0 };
    for await (const entry of this.bucket(0).list('c/')) if (entry.bytes > longest.bytes) longest = entry;
    return { key: longest.key, bytes: await this.bucket(0).get(longest.key) };
  }

  /** What a deep scrub says of one cloud: `fault item`, in order. */
  async findings(name = 'r1'): Promise<string[]> {
    const { findings } = await this.archive.scrub({ deep: true });
    return findings
      .filter((one) => isDamage(one) && one.where === name)
      .map(({ item, fault }) => `${fault} ${item}`)
      .sort();
  }

  async destroy(): Promise<void> {
    await this.#clouds.behave();
    await this.rig.destroy();
    for (const store of this.#direct) await store.close();
  }
}
