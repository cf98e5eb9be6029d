// A process that is killed at its n-th write, for tests that try every n: stores, volumes and the index are wrapped so that the n-th write of
// all of them is the last thing that happens (or, `undone`, the last thing that does not), and nothing answers after it.
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../../tiering/cold/object-store.js';
import { ArchiveError, type ErrorCode } from '../../tiering/core/errors.js';
import type { ObjectKey, PackId, VolumeName } from '../../tiering/core/ids.js';
import type { PackRef, PackWriter, TrayAppender, Volume, VolumeUsage } from '../../tiering/hot/volume.js';
import type { Index } from '../../tiering/index/index.js';

const INDEX_READS: ReadonlySet<string> = new Set(
  [
    'lookup highestSeq tombstones instance instances metadata query pack packs packContents unfiled unfiledInstances',
    'exceptions garbage garbageOf erasures holds studiesWithCopiesIn unknownObjects status setting check close',
  ].flatMap((names) => names.split(' ')),
);

export class Mortality {
  /** Every write that was tried, in order. */
  readonly writes: string[] = [];
  #dead = false;
  readonly #dieAt: number;
  readonly #undone: boolean;

  /** @param undone the n-th write is not done; else it is, and its answer is lost. */
  constructor(dieAt = Number.POSITIVE_INFINITY, undone = false) {
    this.#dieAt = dieAt;
    this.#undone = undone;
  }

  /** @param code what the dead process gets in place of an answer: nobody sees it, and it must not be tried again for ever. */
  async write<T>(what: string, run: () => Promise<T>, code: ErrorCode = 'INTERNAL'): Promise<T> {
    this.mustLive(code);
    this.writes.push(what);
    if (this.writes.length !== this.#dieAt) return run();
    this.#dead = true;
    if (!this.#undone) await run();
    throw new ArchiveError(code, `killed at write ${this.#dieAt}: ${what}`);
  }

  get dead(): boolean {
    return this.#dead;
  }

  mustLive(code: ErrorCode = 'INTERNAL'): void {
    if (this.#dead) throw new ArchiveError(code, 'killed before');
  }

  index(inner: Index): Index {
    return new Proxy(inner, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        if (key === 'close') return method;
        if (INDEX_READS.has(String(key))) {
          return (...args: unknown[]) => {
            this.mustLive();
            return method(...args);
          };
        }
        return (...args: unknown[]) => this.write(`index ${String(key)}`, async () => method(...args));
      },
    });
  }
}

/** `inner` stays open when this is closed: what it holds outlives the process. */
export class MortalStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  readonly #inner: ObjectStore;
  readonly #life: Mortality;

  constructor(inner: ObjectStore, life: Mortality) {
    this.#inner = inner;
    this.#life = life;
    this.capabilities = inner.capabilities;
  }

  put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#life.write(`put ${key}`, () => this.#inner.put(key, body, options));
  }

  delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    return this.#life.write(`delete ${key}`, () => this.#inner.delete(key, signal));
  }

  async get(key: ObjectKey, range?: { start: number; end: number }, signal?: AbortSignal): Promise<Uint8Array> {
    this.#life.mustLive();
    return this.#inner.get(key, range, signal);
  }

  async head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    this.#life.mustLive();
    return this.#inner.head(key, signal);
  }

  async *list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ObjectEntry, void, void> {
    this.#life.mustLive();
    yield* this.#inner.list(prefix, options);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** `inner` stays as it is when this is closed: the disk outlives the process. */
export class MortalVolume implements Volume {
  readonly name: VolumeName;
  readonly #inner: Volume;
  readonly #life: Mortality;

  constructor(inner: Volume, life: Mortality) {
    this.name = inner.name;
    this.#inner = inner;
    this.#life = life;
  }

  async createTray(id: PackId): Promise<TrayAppender> {
    const tray = await this.#life.write('create tray', () => this.#inner.createTray(id), 'UNAVAILABLE');
    const life = this.#life;
    return {
      id,
      get bytes() {
        return tray.bytes;
      },
      append: (pieces) => life.write('append to tray', () => tray.append(pieces), 'UNAVAILABLE'),
      sync: () => life.write('sync tray', () => tray.sync(), 'UNAVAILABLE'),
      close: () => tray.close(),
    };
  }

  async createPack(id: PackId, bytesMax?: number): Promise<PackWriter> {
    const pack = await this.#life.write('create pack', () => this.#inner.createPack(id, bytesMax), 'UNAVAILABLE');
    const life = this.#life;
    return {
      id,
      path: pack.path,
      get bytes() {
        return pack.bytes;
      },
      append: (pieces) => life.write('append to pack', () => pack.append(pieces), 'UNAVAILABLE'),
      readBack: (start, end) => pack.readBack(start, end),
      rewrite: (at, bytes) => life.write('rewrite in pack', () => pack.rewrite(at, bytes), 'UNAVAILABLE'),
      commit: () => life.write('commit pack', () => pack.commit(), 'UNAVAILABLE'),
      abort: () => pack.abort(),
    };
  }

  remove(ref: PackRef): Promise<void> {
    return this.#life.write(`remove ${ref.kind}`, () => this.#inner.remove(ref), 'UNAVAILABLE');
  }

  async read(ref: PackRef, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.#life.mustLive('UNAVAILABLE');
    return this.#inner.read(ref, start, end, signal);
  }

  async size(ref: PackRef): Promise<number> {
    this.#life.mustLive('UNAVAILABLE');
    return this.#inner.size(ref);
  }

  sync(ref: PackRef): Promise<void> {
    return this.#life.write(`sync ${ref.kind}`, () => this.#inner.sync(ref), 'UNAVAILABLE');
  }

  path(ref: PackRef): string {
    return this.#inner.path(ref);
  }

  async *list(kind: PackRef['kind']): AsyncGenerator<{ readonly ref: PackRef; readonly bytes: number }> {
    this.#life.mustLive('UNAVAILABLE');
    yield* this.#inner.list(kind);
  }

  async usage(): Promise<VolumeUsage> {
    this.#life.mustLive('UNAVAILABLE');
    return this.#inner.usage();
  }

  async generation(): Promise<number> {
    this.#life.mustLive('UNAVAILABLE');
    return this.#inner.generation();
  }

  setGeneration(generation: number): Promise<void> {
    return this.#life.write('set generation', () => this.#inner.setGeneration(generation), 'UNAVAILABLE');
  }

  async probe(): Promise<void> {
    this.#life.mustLive('UNAVAILABLE');
    await this.#inner.probe();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
