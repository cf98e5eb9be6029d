// Every read of the index as a plain function of one connection. Each runs in one read transaction, so that
// what it puts together from several tables is of one moment.
import type { Database } from 'better-sqlite3';
import type { ObjectKey, PackId, SopUid, StudyUid } from '../../core/ids.js';
import type { PackFilter, ProtectionRule, QuerySpec, Scope, TombstoneFilter } from '../index.js';
import { checkFile } from './check.js';
import { ObjectNames } from './object-names.js';
import { QueryEngine } from './query.js';
import type { QueryClock } from './query-clock.js';
import { ErasureReader } from './read-erasures.js';
import { InstanceReader, type Position } from './read-instances.js';
import { MetadataReader } from './read-metadata.js';
import { type PackPosition, PackReader } from './read-packs.js';
import { readStatus } from './read-status.js';
import { TombstoneReader } from './read-tombstones.js';

export type ReaderMethods = ReturnType<typeof readerMethods>;

/** Instances that one page holds. */
const PAGE_INSTANCES = 1_000;

export function readerMethods(db: Database, clock: QueryClock) {
  const instances = new InstanceReader(db);
  const metadata = new MetadataReader(db, instances);
  const packs = new PackReader(db);
  const tombstones = new TombstoneReader(db);
  const erasures = new ErasureReader(db);
  const names = new ObjectNames(db);
  const queries = new QueryEngine(db, clock, metadata);
  const setting = db.prepare<[string], { value: string }>('SELECT value FROM settings WHERE key = ?');
  const counter = db.prepare<[string], { value: number }>('SELECT value FROM counters WHERE name = ?');
  const oneMoment =
    <A extends unknown[], R>(read: (...args: A) => R) =>
    (...args: A): R =>
      db.transaction(() => read(...args)).deferred();
  return {
    lookup: oneMoment((sops: readonly SopUid[]) => instances.lookup(sops)),
    highestSeq: (): number => counter.get('seq')?.value ?? 0,
    instance: oneMoment((scope: Required<Scope>) => instances.instance(scope)),
    instances: oneMoment((scope: Scope, position: Position | null) => instances.page(scope, position, PAGE_INSTANCES)),
    metadata: oneMoment((scope: Scope, position: Position | null) => metadata.page(scope, position)),
    pack: oneMoment((id: PackId) => packs.pack(id)),
    packs: oneMoment((filter: PackFilter, position: PackPosition | null, limit: number) =>
      packs.page(filter, position, limit),
    ),
    tombstones: oneMoment((filter: TombstoneFilter, after: number) => tombstones.page(filter, after)),
    holds: (studies?: readonly StudyUid[]) => tombstones.holds(studies),
    packContents: oneMoment((id: PackId) => metadata.packContents(id)),
    unfiled: oneMoment(() => packs.unfiled()),
    unfiledInstances: oneMoment((study: StudyUid) => metadata.unfiledInstances(study)),
    garbage: (beforeMs: number): readonly ObjectKey[] => names.garbage(beforeMs),
    erasures: (deletes?: readonly number[]) => erasures.erasures(deletes),
    studiesWithCopiesIn: (pack: PackId): readonly StudyUid[] => erasures.studiesWithCopiesIn(pack),
    garbageOf: (pack: PackId): readonly ObjectKey[] => erasures.garbageOf(pack),
    unknownObjects: oneMoment((asked: readonly ObjectKey[]) => names.unknown(asked)),
    exceptions: oneMoment((pack?: PackId) => packs.exceptions(pack)),
    status: oneMoment((rule: ProtectionRule) => readStatus(db, packs, erasures, rule)),
    setting: (key: string): string | undefined => setting.get(key)?.value,
    query: oneMoment((spec: QuerySpec, limitMs: number) => {
      clock.limit(limitMs);
      return queries.run(spec);
    }),
    check: (): readonly string[] => checkFile(db),
  };
}
