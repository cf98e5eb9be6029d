// The description of the admin API at /admin/api/openapi.json (OpenAPI 3.1). A test holds it to the routes that there are.
import { DRILL_KINDS } from '../../tiering/archive/drills/drill-report.js';
import { SELECTION_JOBS } from './jobs.js';

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: unknown) => ({ 'application/json': { schema } });
const answer = (description: string, schema: unknown) => ({ description, content: json(schema) });
const object = (properties: Readonly<Record<string, unknown>>, optional: readonly string[] = []) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
});
const count = { type: 'integer', minimum: 0 };
const text = { type: 'string' };
const nullable = (type: string) => ({ type: [type, 'null'] });
const list = (items: unknown) => ({ type: 'array', items });

const problem = {
  description: 'What was wrong, where, and what to do (RFC 9457)',
  content: { 'application/problem+json': { schema: ref('Problem') } },
};
const id = { name: 'id', in: 'path', required: true, schema: text };

const selection = {
  studies: { ...list(text), description: 'Study Instance UIDs' },
  all: { type: 'boolean' },
  query: {
    type: 'object',
    additionalProperties: text,
    description: 'DICOM keyword or tag to value, matched as QIDO-RS does at study level',
  },
  olderThan: { ...text, description: 'Last instance arrived longer ago than this: 90d. Narrows all or query.' },
};

const fileCount = object({ packs: count, instances: count, bytes: count });

const schemas = {
  Ledger: object({
    volume: text,
    how: { enum: ['returned', 'adopted'] },
    awaySince: text,
    returnedAt: text,
    endedAt: nullable('string'),
    outcome: { enum: ['going on', 'complete', 'away again', 'stopped'] },
    found: object({ packs: count, instances: count, bytes: count, adopted: count }),
    hashed: fileCount,
    missing: fileCount,
    corrupt: fileCount,
    takenIn: fileCount,
    repaired: fileCount,
    atRisk: object({ lost: fileCount, unprotected: fileCount }),
    report: { type: ['string', 'null'], description: 'The signed report in the reports directory' },
  }),
  Problem: object({ title: text, status: count, detail: text }),
  Selection: {
    ...object(selection, Object.keys(selection)),
    description: 'One of studies, all and query; or olderThan',
  },
  Plan: object({ studies: count, instances: count, bytes: count, online: count, more: { type: 'boolean' } }),
  JobRequest: object(
    {
      kind: {
        enum: SELECTION_JOBS,
      },
      ...selection,
      keepHot: { type: 'boolean', description: 'migrate: protect and prove, and keep the hot copies' },
      deep: { type: 'boolean', description: 'scrub: read and hash every object' },
      resume: { type: 'boolean', description: 'rotate-keys: make no new key, take the last rotation to its end' },
      reseal: { type: 'boolean', description: 'rotate-keys: a key leaked; every pack is sealed anew and sent again' },
      key: { ...text, description: 'remove-key: id of the key that leaves the keyring' },
      replica: { ...text, description: 'add-replica, drain-replica: its name in the configuration' },
      rate: { ...text, description: 'add-replica: what is written to it at most: 20MB/s' },
      erase: { type: 'boolean', description: 'drain-replica: afterwards remove the objects of this archive from it' },
      plan: { type: 'boolean', description: 'drain-replica: only say what there is to do' },
    },
    [...Object.keys(selection), 'keepHot', 'deep', 'resume', 'reseal', 'key', 'replica', 'rate', 'erase', 'plan'],
  ),
  DrillRequest: object(
    {
      what: { enum: DRILL_KINDS },
      name: { ...text, description: 'A volume or replica; link and brown-out without it: every replica' },
      for: { ...text, description: 'How long it lasts: 1m' },
      anyway: { type: 'boolean', description: 'Also where something speaks against it' },
    },
    ['name', 'for', 'anyway'],
  ),
  LinkRequest: object(
    {
      studies: { ...list(text), description: 'Study Instance UIDs, at most 100' },
      expiresIn: { ...text, description: 'How long it opens them: 7d' },
      name: { ...text, description: 'Shows in the log when it is used' },
    },
    ['expiresIn', 'name'],
  ),
  Deletion: object(
    {
      studies: { ...list(text), description: 'Study Instance UIDs' },
      series: { ...text, description: 'only this series of the one study' },
      instance: { ...text, description: 'only this instance of the series' },
      erase: {
        type: 'boolean',
        description:
          'The bytes leave every volume and replica at once. Alone, without studies: of what was deleted before',
      },
    },
    ['studies', 'series', 'instance', 'erase'],
  ),
  Told: object({
    durable: {
      enum: ['quorum', 'pending'],
      description: 'pending: replicas that are away are told when they are back',
    },
  }),
  Job: object({
    id: text,
    kind: text,
    state: { enum: ['queued', 'running', 'done', 'partly', 'failed', 'cancelled'] },
    createdAt: { ...text, format: 'date-time' },
    finishedAt: { ...nullable('string'), format: 'date-time' },
    progress: {
      ...object({ step: text, packsDone: count, packsTotal: count, bytesDone: count, bytesTotal: count }),
      type: ['object', 'null'],
    },
    report: { ...nullable('object'), description: 'What was done, by kind; failures lists what was not' },
    error: { ...object({ code: text, detail: text }), type: ['object', 'null'] },
  }),
  Status: object({
    studies: object({ total: count, hot: count, protected: count, cold: count }),
    instances: count,
    bytes: object({ hot: count, cold: count }),
    unprotected: object({ instances: count, bytes: count, oldestAgeSeconds: nullable('integer') }),
    deletes: object({ pending: count, owed: count, unread: list(text) }),
    traysUnread: list(text),
    erasurePending: object({ instances: count, bytes: count }),
    ingest: { enum: ['volume', 'cloud-direct', 'refused'] },
    stopped: {
      ...object({ reason: text, restart: { type: 'boolean' } }),
      type: ['object', 'null'],
      description: 'Why nothing is stored, moved or deleted (the index), and whether only a restart ends that',
    },
    rebuild: {
      ...object(
        {
          step: text,
          packsDone: count,
          packsTotal: count,
          bytesDone: count,
          bytesTotal: count,
          instancesDone: count,
          perSecond: count,
          secondsLeft: nullable('integer'),
        },
        ['instancesDone', 'perSecond', 'secondsLeft'],
      ),
      type: ['object', 'null'],
      description: 'The index is being made again; null when it is whole',
    },
    drills: list(object({ what: text, name: nullable('string'), startedAt: text, outcome: text })),
    audit: object({ state: { enum: ['on', 'failing', 'off'] }, detail: nullable('string'), lost: count }),
    refill: object({ packs: count, bytes: count }),
    volumes: list(
      object({
        name: text,
        state: { enum: ['healthy', 'slow', 'suspect', 'failed', 'returning'] },
        bytesTotal: nullable('integer'),
        bytesFree: nullable('integer'),
        detail: nullable('string'),
        trend: { type: ['string', 'null'], description: 'What gets worse with it although it works' },
        latencyMs: object({
          read: nullable('number'),
          write: nullable('number'),
          sync: nullable('number'),
          probe: nullable('number'),
        }),
      }),
    ),
    replicas: list(
      object({
        name: text,
        state: { enum: ['available', 'unavailable'] },
        standing: { enum: ['member', 'filling', 'draining', 'drained'] },
        detail: nullable('string'),
        latencyMs: nullable('number'),
        unavailableSeconds: nullable('integer'),
        debt: object({ packs: count, bytes: count, oldestAgeSeconds: nullable('integer') }),
      }),
    ),
    jobs: list(ref('Job')),
  }),
};

export const OPENAPI = {
  openapi: '3.1.0',
  info: { title: 'Filmroom admin API', version: '1' },
  servers: [{ url: '/admin/api' }],
  security: [{ bearer: [] }, {}],
  paths: {
    '/openapi.json': { get: { summary: 'This document', responses: { 200: { description: 'OpenAPI 3.1' } } } },
    '/status': {
      get: {
        summary: 'The state of the whole archive',
        responses: { 200: answer('State', ref('Status')), 503: problem },
      },
    },
    '/plan': {
      post: {
        summary: 'What a selection amounts to; nothing is changed',
        requestBody: { required: true, content: json(ref('Selection')) },
        responses: { 200: answer('What is selected', ref('Plan')), 400: problem },
      },
    },
    '/links': {
      post: {
        summary: 'Make a token that opens some studies for reading, and nothing else, for some time',
        requestBody: { required: true, content: json(ref('LinkRequest')) },
        responses: { 201: answer('The token', object({ token: text, expiresAt: text })), 400: problem, 501: problem },
      },
    },
    '/jobs': {
      get: { summary: 'Jobs, newest first', responses: { 200: answer('Jobs', object({ jobs: list(ref('Job')) })) } },
      post: {
        summary: 'Start a job',
        requestBody: { required: true, content: json(ref('JobRequest')) },
        responses: { 202: answer('It runs, or waits for its turn', object({ id: text })), 400: problem, 503: problem },
      },
    },
    '/deletions': {
      post: {
        summary: 'Start a job that deletes or erases; needs the right to delete, too',
        requestBody: { required: true, content: json(ref('Deletion')) },
        responses: { 202: answer('It runs, or waits for its turn', object({ id: text })), 400: problem, 503: problem },
      },
    },
    '/deletions/plan': {
      post: {
        summary: 'What a delete amounts to; nothing is changed',
        requestBody: { required: true, content: json(ref('Deletion')) },
        responses: { 200: answer('What would be deleted', ref('Plan')), 400: problem },
      },
    },
    '/holds': {
      get: {
        summary: 'Studies under legal hold',
        responses: {
          200: answer('Holds', object({ holds: list(object({ study: text, since: text, reason: text })) })),
        },
      },
      post: {
        summary: 'Put a study under legal hold: nothing of it is deleted until the hold is cleared',
        requestBody: { required: true, content: json(object({ study: text, reason: text }, ['reason'])) },
        responses: { 201: answer('It is held', ref('Told')), 400: problem, 404: problem, 503: problem },
      },
    },
    '/holds/{study}': {
      parameters: [{ name: 'study', in: 'path', required: true, schema: text }],
      delete: {
        summary: 'Clear a legal hold; needs the right to delete, too',
        responses: { 200: answer('It is cleared', ref('Told')), 404: problem, 503: problem },
      },
    },
    '/drills/plan': {
      post: {
        summary: 'What a drill would be about, and what speaks against it now',
        requestBody: { required: true, content: json(ref('DrillRequest')) },
        responses: {
          200: answer(
            'The plan',
            object({
              what: text,
              name: nullable('string'),
              exposed: {
                type: ['object', 'null'],
                description: 'What cannot be read meanwhile, since it has no other copy',
              },
              objections: list(text),
            }),
          ),
          400: problem,
        },
      },
    },
    '/drills': {
      post: {
        summary: 'Rehearse a failure, measure what it would cost, write a signed report',
        requestBody: { required: true, content: json(ref('DrillRequest')) },
        responses: { 202: answer('The job', object({ id: text })), 400: problem, 503: problem },
      },
    },
    '/volumes/{name}/fail': {
      parameters: [{ name: 'name', in: 'path', required: true, schema: text }],
      post: {
        summary:
          'Take a volume out of use, as if it had failed, until it is taken back in; with plan, only say what that means',
        requestBody: { required: true, content: json(object({ plan: { type: 'boolean' } }, ['plan'])) },
        responses: {
          200: answer(
            'What cannot be read without it, since it is not protected',
            object({
              volume: text,
              out: { type: 'boolean' },
              exposed: object({ packs: count, instances: count, bytes: count }),
            }),
          ),
          400: problem,
          503: problem,
        },
      },
    },
    '/volumes/{name}/return': {
      parameters: [{ name: 'name', in: 'path', required: true, schema: text }],
      post: {
        summary: 'Take it back in: looked at, its tail read, then used again',
        responses: {
          200: answer('How it does', object({ volume: text, out: { type: 'boolean' }, state: text })),
          400: problem,
          503: problem,
        },
      },
    },
    '/volumes/ledgers': {
      get: {
        summary: 'What became of volumes that were away: found, missing, repaired, still at risk; latest return first',
        responses: { 200: answer('Ledgers', object({ ledgers: list(ref('Ledger')) })) },
      },
    },
    '/volumes/{name}/ledgers': {
      parameters: [{ name: 'name', in: 'path', required: true, schema: text }],
      get: {
        summary: 'The same of one volume',
        responses: { 200: answer('Ledgers', object({ ledgers: list(ref('Ledger')) })), 400: problem },
      },
    },
    '/volumes/{name}/adopt': {
      parameters: [{ name: 'name', in: 'path', required: true, schema: text }],
      post: {
        summary:
          'Take in an empty disk in the place of a failed volume; what lay on the old one is given up. With plan, only say what that is',
        requestBody: { required: true, content: json(object({ plan: { type: 'boolean' } }, ['plan'])) },
        responses: {
          200: answer(
            'What replicas have, which is brought back in the background, and what is lost',
            object({
              volume: text,
              place: object({ path: text, bytesTotal: count, bytesFree: count, mountPoint: { type: 'boolean' } }),
              recalled: object({ packs: count, bytes: count }),
              lost: object({ instances: count, bytes: count, studies: list(text) }),
              state: nullable('string'),
            }),
          ),
          400: problem,
          409: problem,
          503: problem,
        },
      },
    },
    '/jobs/{id}': {
      parameters: [id],
      get: { summary: 'One job', responses: { 200: answer('The job', ref('Job')), 404: problem } },
      delete: { summary: 'Cancel it', responses: { 202: answer('The job as it is now', ref('Job')), 404: problem } },
    },
    '/jobs/{id}/events': {
      parameters: [id],
      get: {
        summary:
          'Server-sent events: `progress` with the job at every change, `done` with the finished job, then the end',
        responses: { 200: { description: 'Events', content: { 'text/event-stream': { schema: text } } }, 404: problem },
      },
    },
  },
  components: { schemas, securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
} as const;
