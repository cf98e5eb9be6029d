// The calls that clients and operators make, and what their answers say: each is held against the model, and the model goes on by it.
import type { Archive, RemoveReport, StoreOutcome } from '../../../tiering/archive/archive.js';
import { codeOf, type ErrorCode } from '../../../tiering/core/errors.js';
import type { SopUid, StudyUid } from '../../../tiering/core/ids.js';
import type { InstanceRecord } from '../../../tiering/index/index.js';
import { bytesOf, type Content } from './model.js';
import type { Step } from './plan.js';
import { otherOf, type Sample, STUDIES } from './samples.js';
import type { World } from './world.js';

const CALLS = [
  ...(['store', 'delete', 'read', 'migrate', 'recall', 'hold', 'release'] as const),
  ...(['scrub', 'repair', 'erase', 'fail-volume', 'return-volume', 'adopt', 'rotate'] as const),
];

export type Call = Extract<Step, { readonly do: (typeof CALLS)[number] }>;

export function isCall(step: Step): step is Call {
  return (CALLS as readonly string[]).includes(step.do);
}

/** What a call may say while something is wrong; everything else is wrong with the archive. */
const EXCUSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['UNAVAILABLE', 'FULL', 'ABORTED', 'LOCKED']);

export class Calls {
  count = 0;
  readonly #world: World;
  readonly #underWay = new Set<Promise<void>>();
  /** Of each study the call that changes it: the next one waits, so that the model knows their order. */
  readonly #changing = new Map<StudyUid, Promise<void>>();

  constructor(world: World) {
    this.#world = world;
  }

  async make(step: Call): Promise<void> {
    const call = this.#make(step).catch((error: unknown) => {
      this.#world.watchman.broken(
        `the ${step.do} of the history failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    });
    this.#underWay.add(call);
    void call.finally(() => this.#underWay.delete(call));
    if (!('await' in step) || step.await) await call;
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #make(step: Call): Promise<void> {
    const study = 'study' in step && step.study !== null ? (STUDIES[step.study % STUDIES.length] ?? []) : [];
    const uid = study[0]?.study;
    const selection = uid === undefined ? { all: true } : { studies: [uid] };
    switch (step.do) {
      case 'store':
        return this.#alone(study, () => this.#storeSome(study, step));
      case 'delete':
        return this.#alone(study, () => this.#delete(study, step.instance));
      case 'hold':
      case 'release':
        return this.#alone(study, () => this.#setHold(study, step.do === 'hold'));
      case 'read':
        return this.read(study);
      case 'migrate':
        return this.#job(step.do, (archive) => archive.migrate(selection, { keepHot: step.keepHot }));
      case 'recall':
        return this.#job(step.do, (archive) => archive.recall(selection));
      case 'scrub':
        return this.#job(step.do, (archive) => archive.scrub({ deep: step.deep }));
      case 'repair':
        return this.#job(step.do, (archive) => archive.repair());
      case 'erase':
        return this.#job(step.do, (archive) => archive.erase());
      case 'rotate':
        return this.#job(step.do, (archive) => archive.rotateKeys({ reseal: step.reseal }));
      case 'fail-volume':
      case 'return-volume':
      case 'adopt': {
        const disk = this.#world.disks[step.at % this.#world.disks.length];
        if (disk === undefined) return Promise.resolve();
        return this.#job(step.do, async (archive) => {
          if (step.do === 'fail-volume') return archive.failVolume(disk.name);
          return step.do === 'adopt' ? archive.adoptVolume(disk.name) : archive.returnVolume(disk.name);
        });
      }
    }
  }

  async #alone(study: readonly Sample[], work: () => Promise<void>): Promise<void> {
    const uid = study[0]?.study;
    if (uid === undefined) return;
    const before = this.#changing.get(uid);
    const call = (async () => {
      await before?.catch(() => undefined);
      await work();
    })();
    this.#changing.set(uid, call);
    await call;
  }

  /** A job may fail for what is wrong with its parts; what it reports is looked at when all is calm. */
  async #job(what: string, work: (archive: Archive) => Promise<unknown>): Promise<void> {
    this.count += 1;
    const result = await this.#world.survive(work);
    if ('error' in result) this.#mayFail(what, result.error, ['CONFLICT']);
    this.#world.note(
      `${what}: ${'value' in result ? 'done' : 'died' in result ? 'its process died' : codeOf(result.error)}`,
    );
  }

  #mayFail(what: string, error: unknown, more: readonly ErrorCode[] = []): void {
    const code = codeOf(error);
    if (EXCUSES.has(code) || more.includes(code)) return;
    this.#world.watchman.broken(
      `${what} failed with ${code}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }

  async #storeSome(study: readonly Sample[], step: Extract<Step, { readonly do: 'store' }>): Promise<void> {
    const chosen = new Map<SopUid, Sample>();
    for (let n = 0; n < step.count; n += 1) {
      const sample = study[(step.from + n) % study.length];
      if (sample === undefined) continue;
      const sent = step.other ? otherOf(sample) : sample;
      if (sent !== undefined) chosen.set(sent.sop, sent);
    }
    await Promise.all([...chosen.values()].map((sample) => this.#store(sample)));
  }

  async #store(sample: Sample): Promise<void> {
    const { model } = this.#world;
    const { sop, version } = sample;
    this.count += 1;
    await this.#world.seesAll();
    const before = new Set(model.of(sop).may);
    model.began(sop);
    const result = await this.#world.survive<StoreOutcome>(async (archive) => {
      const { outcome } = await archive.receive(oncePiece(sample.bytes));
      return outcome;
    });
    if ('value' in result) this.#stored(sample, result.value, before);
    else model.maybe(sop, version);
    if ('error' in result) this.#mayFail('a store', result.error);
    this.#world.note(
      `store ${sop}/${version}: ${'value' in result ? `${result.value.status} ${'code' in result.value ? result.value.code : ''}` : 'died' in result ? 'its process died' : codeOf(result.error)}`,
    );
    model.ended(sop);
  }

  #stored({ sop, version }: Sample, outcome: StoreOutcome, before: ReadonlySet<Content>): void {
    const { model, watchman, provisional } = this.#world;
    const other = version === 0 ? 1 : 0;
    if (outcome.status === 'refused') {
      if (outcome.code === 'CONFLICT') {
        if (!before.has(other)) watchman.broken(`${sop} is refused for other content that nobody stored`);
      } else {
        if (!EXCUSES.has(outcome.code)) watchman.broken(`a store was refused with ${outcome.code}: ${outcome.detail}`);
        model.maybe(sop, version);
      }
      return;
    }
    if (outcome.status === 'duplicate' && !before.has(version))
      watchman.broken(`I9: ${sop} is called a duplicate, and was deleted or never stored`);
    // While something is unread, what the index lacks is taken for new, and what it has is stored anew: a delete may come to light.
    const unread = provisional || this.#world.sawFailure;
    if (outcome.status === 'stored' && !before.has(null) && !unread)
      watchman.broken(`I1: ${sop} was stored and is taken for new`);
    model.is(sop, version);
    // Of two that were taken for new while a volume was away, the first that arrived is the one once it is back.
    if (unread && before.has(other)) model.maybe(sop, other);
  }

  async #delete(study: readonly Sample[], instance: number | null): Promise<void> {
    const provisional = !(await this.#world.seesAll());
    const { model, watchman } = this.#world;
    const meant = instance === null ? study : study.slice(instance % study.length, (instance % study.length) + 1);
    const [one] = meant;
    if (one === undefined) return;
    this.count += 1;
    const before = new Map(meant.map(({ sop }) => [sop, new Set(model.of(sop).may)]));
    for (const { sop } of meant) model.began(sop);
    const scope = { study: one.study, ...(instance === null ? {} : { series: one.series, sop: one.sop }) };
    const result = await this.#world.survive<RemoveReport>((archive) => archive.remove(scope));
    const held = model.holds.get(one.study);
    const certain = [...before].filter(([, may]) => !may.has(null));
    if ('value' in result) {
      if (held === true) watchman.broken(`study ${one.study} is under legal hold, and was deleted from`);
      if (result.value.instances < certain.length && !provisional)
        watchman.broken(`I1: a delete found ${result.value.instances} instances of ${certain.length}`);
      for (const [sop, may] of before) {
        if (may.size === 1 && !provisional) model.is(sop, null);
        else model.maybe(sop, null);
        if (result.value.durable === 'pending') model.deletedLightly(sop, may);
      }
    } else if ('error' in result && codeOf(result.error) === 'NOT_FOUND') {
      if (certain.length > 0 && !provisional)
        watchman.broken(`I1: nothing was found to delete of ${certain.length} instances`);
    } else if ('error' in result && codeOf(result.error) === 'CONFLICT') {
      if (held === false) watchman.broken(`a delete was refused, and study ${one.study} is under no hold`);
    } else {
      for (const { sop } of meant) model.maybe(sop, null);
      if ('error' in result) this.#mayFail('a delete', result.error);
    }
    this.#world.note(
      `delete ${one.study}/${instance === null ? '' : one.sop}: ${'value' in result ? `${result.value.instances} ${result.value.durable}` : 'died' in result ? 'its process died' : codeOf(result.error)}`,
    );
    for (const { sop } of meant) model.ended(sop);
  }

  async #setHold([one]: readonly Sample[], held: boolean): Promise<void> {
    if (one === undefined) return;
    const { model } = this.#world;
    this.count += 1;
    const before = model.holds.get(one.study) ?? (model.holds.has(one.study) ? undefined : false);
    model.holds.set(one.study, undefined);
    const result = await this.#world.survive((archive) =>
      held ? archive.setHold(one.study, 'a case at court') : archive.clearHold(one.study),
    );
    if ('value' in result) model.holds.set(one.study, result.value.durable === 'quorum' ? held : undefined);
    else if ('error' in result) {
      this.#mayFail('a hold', result.error, ['NOT_FOUND']);
      if (codeOf(result.error) === 'NOT_FOUND' && before !== undefined) model.holds.set(one.study, before);
    }
  }

  /** Everything of a study is what the model says, as far as it can be had (I1, I2, I3, I7, I9). */
  async read(study: readonly Sample[], strict = false): Promise<void> {
    const { model, watchman } = this.#world;
    const [one] = study;
    if (one === undefined) return;
    this.count += 1;
    await this.#world.seesAll();
    const before = study.map(({ sop }) => ({ sop, certain: model.certain(sop), changes: model.of(sop).changes }));
    const result = await this.#world.survive(async (archive) => {
      const found = new Map<SopUid, InstanceRecord>();
      for await (const record of archive.instances({ study: one.study })) found.set(record.sop, record);
      return found;
    });
    if ('error' in result) {
      if (strict) watchman.broken(`a study cannot be listed: ${codeOf(result.error)}`);
      this.#mayFail('a listing', result.error);
    }
    if (!('value' in result)) return;
    const found = result.value;
    for (const { sop, certain, changes } of before) {
      const record = found.get(sop);
      const quiet = certain !== undefined && model.of(sop).changes === changes && !this.#world.provisional;
      if (quiet && certain === null && record !== undefined) watchman.broken(`I9: ${sop} was deleted, and is found`);
      if (quiet && certain !== null && record === undefined)
        watchman.broken(`I1: ${sop} was acknowledged, and is not found`);
      if (record !== undefined) await this.#readOne(record, changes, strict);
    }
  }

  async #readOne(record: InstanceRecord, changes: number, strict: boolean): Promise<void> {
    const { model, watchman } = this.#world;
    const known = model.of(record.sop);
    const pieces: Uint8Array[] = [];
    const result = await this.#world.survive(async (archive) => {
      for await (const piece of archive.read(record)) pieces.push(Uint8Array.from(piece));
    });
    const given = Buffer.concat(pieces);
    const versions = ([0, 1] as const).filter((version) => version === 0 || otherOf(known.sample) !== undefined);
    const like = versions.filter((version) =>
      given.equals(Buffer.from(bytesOf(known.sample, version)).subarray(0, given.length)),
    );
    const quiet = known.changes === changes && known.changing === 0;
    // Not every read of a part is hashed: damage of a hot file is for scrubs, the packer, protect and recall to find.
    const harmed = this.#world.disks.some((disk) => disk.everHarmed.has(record.pack));
    if (harmed && !strict) return;
    if (like.length === 0) watchman.broken(`I2: ${record.sop} is given with other bytes (${given.length})`);
    if ('value' in result) {
      const whole = like.filter((version) => bytesOf(known.sample, version).length === given.length);
      if (quiet && !whole.some((version) => known.may.has(version)))
        watchman.broken(`I2: ${record.sop} is given with content that it does not have`);
    } else if ('error' in result) {
      const code = codeOf(result.error);
      // A row that a power cut took is not there before its volume was read again.
      const unknown = code === 'NOT_FOUND' && (!quiet || this.#world.provisional);
      const excused = EXCUSES.has(code) || code === 'CORRUPT' || unknown;
      if (strict || !excused) watchman.broken(`I7: ${record.sop} cannot be read: ${code}: ${String(result.error)}`);
    }
  }
}

async function* oncePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
