// The Index over one SQLite file: one thread that writes, one for point look-ups and pages, and one or more
// for what may scan. This side only sends calls and pages through answers; it never touches the file.
import type { Clock } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, PackId, ReplicaName, SopUid, StudyUid, VolumeName } from '../../core/ids.js';
import type { DekWrap, PackSeal } from '../../format/types.js';
import type {
  AdoptedPack,
  ArrivalBatch,
  ChunkException,
  FiledPack,
  HotState,
  Index,
  InstanceRecord,
  MetadataPart,
  NewPack,
  PackFilter,
  PackRecord,
  Placement,
  ProtectionRule,
  QueryPage,
  QuerySpec,
  Resealed,
  Scope,
  StoredTombstone,
  TombstoneFilter,
  TombstoneRecord,
} from '../index.js';
import type { Page, Position } from './read-instances.js';
import type { PackPage, PackPosition } from './read-packs.js';
import type { TombstonePage } from './read-tombstones.js';
import { type Reader, raceAbort, startReader, type Writer } from './threads.js';

/** The log is emptied when nobody reads: tried so often. */
const EMPTY_LOG_ATTEMPTS = 50;
const EMPTY_LOG_REST_MS = 20;

/** Made by `openSqliteIndex`. */
export class SqliteIndex implements Index {
  readonly #path: string;
  readonly #writer: Writer;
  readonly #points: Reader['client'];
  readonly #scans: readonly Reader[];
  readonly #clock: Clock;
  readonly #queryMs: number;

  constructor(
    path: string,
    writer: Writer,
    points: Reader,
    scans: readonly Reader[],
    options: { readonly clock: Clock; readonly queryMs: number },
  ) {
    this.#path = path;
    this.#writer = writer;
    this.#points = points.client;
    this.#scans = scans.length > 0 ? scans : [points];
    this.#clock = options.clock;
    this.#queryMs = options.queryMs;
  }

  lookup(sops: readonly SopUid[]) {
    return this.#points.call('lookup', sops);
  }

  addPack(pack: NewPack) {
    return this.#writer.call('addPack', pack);
  }

  commitArrivals(batch: ArrivalBatch) {
    return this.#writer.call('commitArrivals', batch);
  }

  highestSeq() {
    return this.#points.call('highestSeq');
  }

  bury(records: readonly TombstoneRecord[]) {
    return this.#writer.call('bury', records);
  }

  async *tombstones(filter: TombstoneFilter): AsyncIterable<StoredTombstone> {
    for (let after: number | null = 0; after !== null; ) {
      const from: number = after;
      const page: TombstonePage = await this.#scan(({ client }) => client.call('tombstones', filter, from));
      yield* page.items;
      after = page.next;
    }
  }

  holds(studies?: readonly StudyUid[]) {
    return this.#points.call('holds', studies);
  }

  setTombstonePlacement(name: ObjectKey, replica: ReplicaName) {
    return this.#writer.call('setTombstonePlacement', name, replica);
  }

  resealTombstone(name: ObjectKey, sealed: Pick<TombstoneRecord, 'name' | 'object'>) {
    return this.#writer.call('resealTombstone', name, sealed);
  }

  removeTombstonePlacement(name: ObjectKey, replica: ReplicaName) {
    return this.#writer.call('removeTombstonePlacement', name, replica);
  }

  instance(scope: Required<Scope>) {
    return this.#points.call('instance', scope);
  }

  async *instances(scope: Scope): AsyncIterable<InstanceRecord> {
    let position: Position | null = null;
    do {
      const page: Page<InstanceRecord> = await this.#points.call('instances', scope, position);
      yield* page.items;
      position = page.next;
    } while (position !== null);
  }

  async *metadata(scope: Scope): AsyncIterable<MetadataPart> {
    let position: Position | null = null;
    do {
      const page: Page<MetadataPart> = await this.#points.call('metadata', scope, position);
      yield* page.items;
      position = page.next;
    } while (position !== null);
  }

  async query(spec: QuerySpec, signal?: AbortSignal): Promise<QueryPage> {
    signal?.throwIfAborted();
    return this.#scan(async ({ client, cancelled }) => {
      const id = client.nextId;
      const answer = client.call('query', spec, this.#queryMs);
      if (signal === undefined) return answer;
      // The thread looks at this cell for every row; should the call not have begun, it ends at its first row.
      const cancel = () => Atomics.store(cancelled, 0, id);
      return raceAbort(answer, signal, cancel);
    });
  }

  touch(study: StudyUid, nowMs: number) {
    return this.#writer.call('touch', study, nowMs);
  }

  pack(id: PackId) {
    return this.#points.call('pack', id);
  }

  async *packs(filter: PackFilter): AsyncIterable<PackRecord> {
    let left = filter.limit ?? Number.MAX_SAFE_INTEGER;
    const { after } = filter;
    let position: PackPosition | null = after === undefined ? null : { ms: after.createdMs, uuid: after.id };
    while (left > 0) {
      const from: PackPosition | null = position;
      const limit = left;
      const page: PackPage = await this.#scan(({ client }) => client.call('packs', filter, from, limit));
      yield* page.items;
      left -= page.items.length;
      position = page.next;
      if (position === null) return;
    }
  }

  packContents(id: PackId) {
    return this.#scan(({ client }) => client.call('packContents', id));
  }

  unfiled() {
    return this.#scan(({ client }) => client.call('unfiled'));
  }

  unfiledInstances(study: StudyUid) {
    return this.#scan(({ client }) => client.call('unfiledInstances', study));
  }

  file(filed: FiledPack) {
    return this.#writer.call('file', filed);
  }

  adopt(adopted: AdoptedPack, ends: readonly TombstoneRecord[] = []) {
    return this.#writer.call('adopt', adopted, ends);
  }

  closeTray(id: PackId, bytes: number) {
    return this.#writer.call('closeTray', id, bytes);
  }

  setHot(id: PackId, hot: HotState, volume: VolumeName | null) {
    return this.#writer.call('setHot', id, hot, volume);
  }

  loseVolume(volume: VolumeName) {
    return this.#writer.call('loseVolume', volume);
  }

  setSeal(id: PackId, seal: PackSeal) {
    return this.#writer.call('setSeal', id, seal);
  }

  rewrap(
    id: PackId,
    wrap: DekWrap & Pick<PackSeal, 'dekId'>,
    manifest: { readonly name: ObjectKey; readonly generation: number } | null,
  ) {
    return this.#writer.call('rewrap', id, wrap, manifest, this.#clock.nowMs());
  }

  reseal(id: PackId, resealed: Resealed) {
    return this.#writer.call('reseal', id, resealed, this.#clock.nowMs());
  }

  dropOldChunks(id: PackId) {
    return this.#writer.call('dropOldChunks', id, this.#clock.nowMs());
  }

  nameChunk(id: PackId, chunk: number, name: ObjectKey) {
    return this.#writer.call('nameChunk', id, chunk, name);
  }

  setManifest(id: PackId, manifest: { readonly name: ObjectKey; readonly generation: number }) {
    return this.#writer.call('setManifest', id, manifest, this.#clock.nowMs());
  }

  setPlacement(id: PackId, placement: Placement) {
    return this.#writer.call('setPlacement', id, placement);
  }

  removePlacement(id: PackId, replica: ReplicaName) {
    return this.#writer.call('removePlacement', id, replica);
  }

  dropPack(id: PackId) {
    return this.#writer.call('dropPack', id, this.#clock.nowMs());
  }

  erasures(deletes?: readonly number[]) {
    return this.#scan(({ client }) => client.call('erasures', deletes));
  }

  studiesWithCopiesIn(pack: PackId) {
    return this.#scan(({ client }) => client.call('studiesWithCopiesIn', pack));
  }

  garbageOf(pack: PackId) {
    return this.#points.call('garbageOf', pack);
  }

  async scour(signal?: AbortSignal): Promise<boolean> {
    // The first call orders the work, those after it do it a part at a time.
    for (let first = true; await this.#writer.call('scour', first); first = false) signal?.throwIfAborted();
    for (let attempt = 1; attempt <= EMPTY_LOG_ATTEMPTS; attempt += 1) {
      if (await this.#writer.call('emptyLog')) return true;
      await this.#clock.sleep(EMPTY_LOG_REST_MS, signal);
    }
    return false;
  }

  addException(exception: ChunkException) {
    return this.#writer.call('addException', exception);
  }

  clearException(exception: Omit<ChunkException, 'fault'>) {
    return this.#writer.call('clearException', exception);
  }

  exceptions(pack?: PackId) {
    return this.#points.call('exceptions', pack);
  }

  announceObjects(names: readonly ObjectKey[]) {
    return this.#writer.call('announceObjects', names, this.#clock.nowMs());
  }

  garbage(beforeMs: number) {
    return this.#scan(({ client }) => client.call('garbage', beforeMs));
  }

  clearGarbage(names: readonly ObjectKey[]) {
    return this.#writer.call('clearGarbage', names);
  }

  unknownObjects(names: readonly ObjectKey[]) {
    return this.#scan(({ client }) => client.call('unknownObjects', names));
  }

  status(rule: ProtectionRule) {
    return this.#scan(({ client }) => client.call('status', rule));
  }

  setting(key: string) {
    return this.#points.call('setting', key);
  }

  setSetting(key: string, value: string) {
    return this.#writer.call('setSetting', key, value);
  }

  commitDurable() {
    return this.#writer.call('commitDurable');
  }

  async check(signal?: AbortSignal): Promise<readonly string[]> {
    signal?.throwIfAborted();
    // It reads the whole file: in a thread of its own, which may be given up.
    const { client } = startReader(this.#path);
    const given = new ArchiveError('ABORTED', 'the check of the index was given up');
    try {
      await client.ready;
      const answer = client.call('check');
      const findings = signal === undefined ? await answer : await raceAbort(answer, signal, () => undefined);
      await client.close();
      return findings;
    } catch (error) {
      // Not awaited: a thread inside of SQLite ends only when that call returns.
      void client.kill(given);
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#points.close(), ...this.#scans.map(({ client }) => client.close())]);
    // Last, so that the log is moved into the database file and removed.
    await this.#writer.close();
  }

  /** Runs `call` on the scanning thread with the least to do. */
  async #scan<T>(call: (reader: Reader) => Promise<T>): Promise<T> {
    const reader = this.#scans.reduce((least, one) => (one.busy < least.busy ? one : least));
    reader.busy += 1;
    try {
      return await call(reader);
    } finally {
      reader.busy -= 1;
    }
  }
}
