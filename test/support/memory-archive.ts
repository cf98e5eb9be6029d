// The reference model of the Archive boundary: it really keeps the bytes, parses them with the product's scanner, and answers as
// archive.ts says, in the plainest way. Nothing of tiers: the operator's calls refuse with NOT_SUPPORTED.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { DicomError } from '../../dicom/dicom-error.js';
import type { ParsedInstance } from '../../dicom/instance.js';
import { encodeLayout } from '../../dicom/layout.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';
import type {
  Archive,
  ArchiveStatus,
  InstanceIdentity,
  InstanceRecord,
  MetadataPart,
  QueryPage,
  QuerySpec,
  ReceiveOptions,
  RemoveReport,
  Scope,
  StoreOutcome,
} from '../../tiering/archive/archive.js';
import { ArchiveError, type ErrorCode } from '../../tiering/core/errors.js';
import {
  parsePackId,
  parseSeriesUid,
  parseSha256,
  parseSopUid,
  parseStudyUid,
  type SeriesUid,
} from '../../tiering/core/ids.js';
import { queryModel } from './query-model.js';

export interface ModelInstance {
  readonly record: InstanceRecord;
  readonly bytes: Uint8Array;
  readonly parsed: ParsedInstance;
}

const PACK = parsePackId('01900000-0000-7000-8000-000000000000');
const PIECE_BYTES = 64 * 1024;

async function collect(body: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) {
    signal?.throwIfAborted();
    pieces.push(Uint8Array.from(piece));
  }
  return Buffer.concat(pieces);
}

const unsupported = () => Promise.reject(new ArchiveError('NOT_SUPPORTED', 'the memory archive has no tiers'));

/** What a test may make go wrong. */
export interface ModelFaults {
  /** `receive` rejects with this. */
  ingest: ErrorCode | null;
  /** `remove` rejects with this. */
  remove: ErrorCode | null;
  /** Whether enough replicas hear of a delete. */
  quorum: boolean;
  /** Awaited before each piece of a read; throws to break it. */
  beforePiece: (record: InstanceRecord, offset: number) => Promise<void> | void;
}

export class MemoryArchive implements Archive {
  readonly faults: ModelFaults = { ingest: null, remove: null, quorum: true, beforePiece: () => undefined };
  /** Bodies that are being received now. */
  receiving = 0;
  /** Calls of any read-side method, to show that nothing was asked. */
  asked = 0;
  readonly #instances = new Map<string, ModelInstance>();
  #seq = 0;

  get size(): number {
    return this.#instances.size;
  }

  async receive(
    body: AsyncIterable<Uint8Array>,
    options: ReceiveOptions = {},
  ): Promise<{ readonly outcome: Promise<StoreOutcome> }> {
    if (this.faults.ingest !== null) throw new ArchiveError(this.faults.ingest, 'this archive takes nothing just now');
    this.receiving++;
    try {
      const bytes = await collect(body, options.signal);
      return { outcome: Promise.resolve(this.#take(bytes, options)) };
    } finally {
      this.receiving--;
    }
  }

  #take(bytes: Buffer, options: ReceiveOptions): StoreOutcome {
    let parsed: ParsedInstance;
    try {
      parsed = parseInstance(bytes);
    } catch (error) {
      if (!(error instanceof DicomError)) throw error;
      const { sopUid, sopClassUid } = error.identity;
      return {
        status: 'refused',
        instance: {
          ...(sopUid === undefined ? {} : { sop: parseSopUid(sopUid) }),
          ...(sopClassUid === undefined ? {} : { sopClass: sopClassUid }),
        },
        code: error.code,
        fault: error.fault,
        detail: error.message,
      };
    }
    const identity: InstanceIdentity = {
      study: parseStudyUid(parsed.studyUid),
      series: parseSeriesUid(parsed.seriesUid),
      sop: parseSopUid(parsed.sopUid),
      sopClass: parsed.sopClassUid,
      sha256: parseSha256(createHash('sha256').update(bytes).digest('hex')),
    };
    const conflict = (detail: string): StoreOutcome => ({
      status: 'refused',
      instance: identity,
      code: 'CONFLICT',
      fault: null,
      detail,
    });
    if (options.study !== undefined && options.study !== identity.study) return conflict('it is of another study');
    const known = this.#instances.get(identity.sop);
    if (known !== undefined && known.record.sha256 !== identity.sha256)
      return conflict('stored before with other bytes');
    if (known !== undefined) return { status: 'duplicate', instance: identity, warnings: parsed.warnings };
    const seq = ++this.#seq;
    const record: InstanceRecord = {
      study: identity.study,
      series: identity.series,
      sop: identity.sop,
      sha256: identity.sha256,
      sopClass: parsed.sopClassUid,
      transferSyntax: parsed.transferSyntaxUid,
      instanceNumber: parsed.instanceNumber,
      seriesNumber: parsed.seriesNumber,
      seq,
      arrivedMs: seq,
      pack: PACK,
      start: 0,
      end: bytes.length,
    };
    this.#instances.set(identity.sop, { record, bytes, parsed });
    return { status: 'stored', instance: identity, warnings: parsed.warnings };
  }

  async remove(scope: Scope): Promise<RemoveReport> {
    if (this.faults.remove !== null)
      throw new ArchiveError(this.faults.remove, 'this archive deletes nothing just now');
    const doomed = this.#select(scope);
    if (doomed.length === 0) throw new ArchiveError('NOT_FOUND', 'this archive has nothing there');
    for (const { record } of doomed) this.#instances.delete(record.sop);
    const studies = this.#select({ study: scope.study }).length === 0 ? 1 : 0;
    return { instances: doomed.length, studies, durable: this.faults.quorum ? 'quorum' : 'pending', deletes: [] };
  }

  /** In reading order. */
  #select(scope: Scope): readonly ModelInstance[] {
    this.asked++;
    const number = (value: number | null) => value ?? Number.MAX_SAFE_INTEGER;
    return [...this.#instances.values()]
      .filter(({ record }) => record.study === scope.study)
      .filter(({ record }) => scope.series === undefined || record.series === scope.series)
      .filter(({ record }) => scope.sop === undefined || record.sop === scope.sop)
      .sort(
        ({ record: a }, { record: b }) =>
          number(a.seriesNumber) - number(b.seriesNumber) ||
          a.series.localeCompare(b.series) ||
          number(a.instanceNumber) - number(b.instanceNumber) ||
          a.sop.localeCompare(b.sop),
      );
  }

  query(spec: QuerySpec): Promise<QueryPage> {
    this.asked++;
    return Promise.resolve(queryModel([...this.#instances.values()], spec));
  }

  async *instances(scope: Scope): AsyncGenerator<InstanceRecord> {
    for (const { record } of this.#select(scope)) yield record;
  }

  async instance(scope: Required<Scope>): Promise<InstanceRecord & { readonly layout: string }> {
    const [found] = this.#select(scope);
    if (found === undefined) throw new ArchiveError('NOT_FOUND', 'this archive has no such instance');
    return { ...found.record, layout: encodeLayout(found.parsed.layout) };
  }

  /** As packed: in arrival order, with something dead in between, so that picks are needed and are not ascending. */
  async *metadata(scope: Scope): AsyncGenerator<MetadataPart> {
    const wanted = this.#select(scope);
    for (const series of new Set(wanted.map(({ record }) => record.series))) yield this.#bundle(series, wanted);
  }

  #bundle(series: SeriesUid, wanted: readonly ModelInstance[]): MetadataPart {
    const texts: Buffer[] = [];
    const places = new Map<string, { start: number; end: number }>();
    let at = 0;
    for (const { record, parsed } of this.#instances.values()) {
      if (record.series !== series) continue;
      const text = Buffer.from(`${at === 0 ? '' : ','}${parsed.json},{"dead":"${record.seq}"}`);
      const start = at === 0 ? 0 : at + 1;
      places.set(record.sop, { start, end: start + Buffer.byteLength(parsed.json) });
      at += text.length;
      texts.push(text);
    }
    const picks = wanted
      .filter(({ record }) => record.series === series)
      .map(({ record }) => places.get(record.sop) ?? { start: 0, end: 0 });
    return { series, gzip: gzipSync(Buffer.concat(texts)), picks };
  }

  async *read(
    instance: InstanceRecord,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    this.asked++;
    const found = this.#instances.get(instance.sop);
    if (found === undefined) throw new ArchiveError('NOT_FOUND', 'it was deleted meanwhile');
    const { start, end } = range ?? { start: 0, end: found.bytes.length };
    if (start < 0 || end > found.bytes.length) throw new ArchiveError('INTERNAL', 'a range outside of the instance');
    for (let at = start; at < end; at += PIECE_BYTES) {
      signal?.throwIfAborted();
      await this.faults.beforePiece(instance, at);
      yield Uint8Array.from(found.bytes.subarray(at, Math.min(end, at + PIECE_BYTES)));
    }
  }

  /** For tests of what was deleted meanwhile. */
  forget(sop: string): void {
    this.#instances.delete(sop);
  }

  async status(): Promise<ArchiveStatus> {
    return unsupported();
  }
  migrate = unsupported;
  planDrill = unsupported;
  drill = unsupported;
  refusals = () => Promise.resolve([]);
  holds = () => Promise.resolve([]);
  setHold = unsupported;
  failVolume = unsupported;
  returnVolume = unsupported;
  adoptVolume = unsupported;
  ledgers = unsupported;
  exposure = unsupported;
  clearHold = unsupported;
  erase = unsupported;
  recall = unsupported;
  scrub = unsupported;
  repair = unsupported;
  addReplica = unsupported;
  drainReplica = unsupported;
  countKeys = unsupported;
  rotateKeys = unsupported;
  removeKey = unsupported;
  close(): Promise<void> {
    this.#instances.clear();
    return Promise.resolve();
  }
}
