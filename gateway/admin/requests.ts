// What may be asked of the admin API, checked: which studies (a selection) and which job. From JSON to the archive's own
// types; everything that does not fit is INVALID with the key and what is allowed.
import { z } from 'zod';
import { DEFAULT_LIMITS } from '../../dicomweb/limits.js';
import { parseQuery } from '../../dicomweb/search/query-parameters.js';
import type { Archive, JobOptions, QuerySpec, Selection } from '../../tiering/archive/archive.js';
import type { ProbeReport } from '../../tiering/cold/probe/probe.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { parseReplicaName, parseStudyUid, type ReplicaName, type StudyUid } from '../../tiering/core/ids.js';
import { parseDuration, parseRate } from '../units.js';
import { type JobReport, SELECTION_JOBS } from './jobs.js';

const STUDIES_MAX = 10_000;
const LINK_STUDIES_MAX = 100;
/** A link cannot be taken back one by one: whoever needs longer makes a token in the configuration. */
const LINK_LIFE_MS_MAX = 366 * 24 * 3600 * 1000;

/** Every study, for the archive's query. */
export const STUDY_LEVEL: QuerySpec = { level: 'study', matches: [], fuzzy: false, limit: 100, offset: 0, include: [] };

const selectionShape = {
  studies: z.array(z.string()).min(1).max(STUDIES_MAX).optional(),
  all: z.boolean().optional(),
  query: z.record(z.string(), z.string()).optional(),
  olderThan: z.string().optional(),
};

const linkSchema = z.strictObject({
  studies: z.array(z.string()).min(1).max(LINK_STUDIES_MAX),
  expiresIn: z.string().default('7d'),
  name: z.string().min(1).max(64).default('link'),
});

const selectionSchema = z.strictObject(selectionShape);
const jobSchema = z.strictObject({
  kind: z.enum(SELECTION_JOBS),
  ...selectionShape,
  keepHot: z.boolean().optional(),
  deep: z.boolean().optional(),
  resume: z.boolean().optional(),
  reseal: z.boolean().optional(),
  key: z.string().min(1).max(64).optional(),
  replica: z.string().min(1).max(64).optional(),
  rate: z.string().max(32).optional(),
  erase: z.boolean().optional(),
  plan: z.boolean().optional(),
});

export interface JobRequest {
  readonly kind: (typeof SELECTION_JOBS)[number];
  readonly selection: Selection;
  readonly keepHot: boolean;
  readonly deep: boolean;
  readonly resume: boolean;
  readonly reseal: boolean;
  /** Of remove-key; else empty. */
  readonly key: string;
  /** Of add-replica and drain-replica; else null. */
  readonly replica: {
    readonly name: ReplicaName;
    readonly bytesPerSecond: number | null;
    readonly erase: boolean;
    readonly plan: boolean;
  } | null;
}

/** The body as the schema has it. INVALID with the key that is wrong. */
export function checked<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new ArchiveError('INVALID', `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'not understood'}`);
}

/** A selection of at least something; `olderThan` is counted back from `nowMs`. */
export function parseSelectionRequest(body: unknown, nowMs: number): Selection {
  return selectionOf(checked(selectionSchema, body), nowMs);
}

export interface LinkRequest {
  readonly studies: readonly StudyUid[];
  readonly lifeMs: number;
  readonly name: string;
}

export function parseLinkRequest(body: unknown): LinkRequest {
  const { studies, expiresIn, name } = checked(linkSchema, body);
  const lifeMs = parseDuration(expiresIn);
  if (lifeMs > LINK_LIFE_MS_MAX) throw new ArchiveError('INVALID', 'expiresIn: a link lives for at most 366 days');
  return { studies: studies.map((study) => parseStudyUid(study)), lifeMs, name };
}

/** Jobs that are always about the whole archive. */
const WHOLE: ReadonlySet<JobRequest['kind']> = new Set([
  ...(['scrub', 'repair', 'list-keys', 'rotate-keys', 'remove-key', 'add-replica', 'drain-replica'] as const),
]);

/** Keys that have no meaning for the kind are refused rather than ignored: a scrub of one study is not a thing. */
export function parseJobRequest(body: unknown, nowMs: number): JobRequest {
  const { kind, keepHot, deep, resume, reseal, key, replica, rate, erase, plan, ...selection } = checked(
    jobSchema,
    body,
  );
  if (keepHot !== undefined && kind !== 'migrate') throw new ArchiveError('INVALID', 'keepHot: only migrate has it');
  if (deep !== undefined && kind !== 'scrub') throw new ArchiveError('INVALID', 'deep: only scrub has it');
  if (resume !== undefined && kind !== 'rotate-keys')
    throw new ArchiveError('INVALID', 'resume: only rotate-keys has it');
  if (reseal !== undefined && kind !== 'rotate-keys')
    throw new ArchiveError('INVALID', 'reseal: only rotate-keys has it');
  if ((key !== undefined) !== (kind === 'remove-key'))
    throw new ArchiveError('INVALID', 'key: remove-key needs it, and nothing else has it');
  const ofReplica = replicaOf(kind, { replica, rate, erase, plan });
  const whole = WHOLE.has(kind);
  const stray = Object.keys(selection)[0];
  if (whole && stray !== undefined)
    throw new ArchiveError('INVALID', `${stray}: ${kind} is always of the whole archive`);
  return {
    kind,
    selection: whole ? {} : selectionOf(selection, nowMs),
    keepHot: keepHot ?? false,
    deep: deep ?? false,
    resume: resume ?? false,
    reseal: reseal ?? false,
    key: key ?? '',
    replica: ofReplica,
  };
}

function replicaOf(
  kind: JobRequest['kind'],
  sent: Pick<z.output<typeof jobSchema>, 'replica' | 'rate' | 'erase' | 'plan'>,
): JobRequest['replica'] {
  const { replica, rate, erase, plan } = sent;
  const add = kind === 'add-replica';
  const drain = kind === 'drain-replica';
  if ((replica !== undefined) !== (add || drain))
    throw new ArchiveError('INVALID', 'replica: add-replica and drain-replica need it, and nothing else has it');
  if (rate !== undefined && !add) throw new ArchiveError('INVALID', 'rate: only add-replica has it');
  if (erase !== undefined && !drain) throw new ArchiveError('INVALID', 'erase: only drain-replica has it');
  if (plan !== undefined && !drain) throw new ArchiveError('INVALID', 'plan: only drain-replica has it');
  if (replica === undefined) return null;
  const bytesPerSecond = rate === undefined ? null : parseRate(rate);
  return { name: parseReplicaName(replica), bytesPerSecond, erase: erase ?? false, plan: plan ?? false };
}

function selectionOf(sent: z.output<typeof selectionSchema>, nowMs: number): Selection {
  const { studies, all, query, olderThan } = sent;
  const ways = [studies !== undefined, all === true, query !== undefined].filter(Boolean).length;
  if (ways > 1) throw new ArchiveError('INVALID', 'give one of studies, all and query, not several');
  if (ways === 0 && olderThan === undefined) {
    throw new ArchiveError('INVALID', 'nothing is selected; give studies, all, query or olderThan');
  }
  if (studies !== undefined && olderThan !== undefined) {
    throw new ArchiveError('INVALID', 'olderThan narrows all or query; studies are named one by one');
  }
  return {
    ...(studies === undefined ? {} : { studies: [...new Set(studies)].map((uid) => parseStudyUid(uid)) }),
    ...(all === true || (ways === 0 && olderThan !== undefined) ? { all: true } : {}),
    ...(query === undefined ? {} : { query: { ...STUDY_LEVEL, matches: matchesOf(query) } }),
    ...(olderThan === undefined ? {} : { arrivedBeforeMs: nowMs - parseDuration(olderThan) }),
  };
}

/** `{ "PatientID": "12*", "0020000D": "1.2,1.3" }` by keyword or tag, by the rules of QIDO (PS3.18 8.3.4), and nothing else of it. */
function matchesOf(query: Readonly<Record<string, string>>): QuerySpec['matches'] {
  const entries = Object.entries(query);
  const { spec, unknown } = parseQuery('study', null, new URLSearchParams(entries), DEFAULT_LIMITS);
  // A search leaves out what names no attribute; a job would then be about more than was meant.
  if (unknown.length > 0) {
    throw new ArchiveError('INVALID', `unknown query parameter ${JSON.stringify(unknown[0]?.slice(0, 64))}`);
  }
  // A range of dates and one of times are one match.
  const read = spec.matches.reduce((sum, { time }) => sum + (time === undefined ? 1 : 2), 0);
  if (read !== entries.length || entries.length === 0) {
    throw new ArchiveError('INVALID', 'query: attributes by keyword or tag with a value each, and at least one');
  }
  return spec.matches;
}

/** Tries whether a configured store is fit to hold a replica; null for a name that the configuration does not have. */
export type ReplicaProbe = (name: ReplicaName) => Promise<ProbeReport | null>;

async function mustBeFit(probe: ReplicaProbe, name: ReplicaName): Promise<void> {
  const report = await probe(name);
  const failed = report?.checks.filter(({ ok }) => !ok) ?? [];
  if (failed.length === 0) return;
  const told = failed.map(({ check, detail }) => `${check}: ${detail}`).join('; ');
  throw new ArchiveError('UNAVAILABLE', `${name} is not fit to hold a replica: ${told}`);
}

function given<T>(value: T | null): T {
  if (value === null) throw new ArchiveError('INTERNAL', 'a job without what it is about');
  return value;
}

/** The archive's own call for a job. */
export function jobWork(
  archive: Archive,
  request: JobRequest,
  replicas: ReplicaProbe,
): (options: JobOptions) => Promise<JobReport> {
  const { kind, selection, keepHot, deep, resume, reseal, key, replica } = request;
  switch (kind) {
    case 'migrate':
      return (options) => archive.migrate(selection, { ...options, keepHot });
    case 'recall':
    case 'repatriate':
      return (options) => archive.recall(selection, options);
    case 'scrub':
      return (options) => archive.scrub({ ...options, deep });
    case 'repair':
      return (options) => archive.repair(options);
    case 'add-replica':
      return async (options) => {
        const { name, bytesPerSecond } = given(replica);
        await mustBeFit(replicas, name);
        return archive.addReplica(name, { ...options, bytesPerSecond });
      };
    case 'drain-replica':
      return (options) => {
        const { name, erase, plan } = given(replica);
        return archive.drainReplica(name, { ...options, erase, plan });
      };
    case 'list-keys':
      return (options) => archive.countKeys(options);
    case 'rotate-keys':
      return (options) => archive.rotateKeys({ ...options, resume, reseal });
    case 'remove-key':
      return (options) => archive.removeKey(key, options);
  }
}
