// The configuration of DESIGN section 11 as a schema: what keys there are, what each may be, and what is taken when
// it is not given. Strict: an unknown key is refused with the keys that there are.
import { z } from 'zod';
import { DRILL_KINDS } from '../tiering/archive/drills/drill-report.js';
import { PROVIDER_NAMES } from '../tiering/cold/s3/providers.js';
import { LOCK_MODES } from '../tiering/cold/s3/s3-connection.js';
import { parseReplicaName, parseStudyUid, parseVolumeName } from '../tiering/core/ids.js';
import { ACTIONS } from './auth/access.js';
import { parseDuration, parsePercent, parseRate } from './units.js';

/** An object with exactly these keys; the message of an unknown one lists them. */
function section<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') {
        return `unknown key ${issue.keys?.join(', ')}; allowed here: ${Object.keys(shape).join(', ')}`;
      }
      return issue.input === undefined ? 'is missing' : `must be a section with keys: ${Object.keys(shape).join(', ')}`;
    },
  });
}

/** Text that `parse` turns into a value; its message is what is shown. */
function parsed<T>(parse: (text: string) => T, allowed: string) {
  return z.string({ error: `must be ${allowed}` }).transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : `must be ${allowed}` });
      return z.NEVER;
    }
  });
}

const text = (allowed: string) => z.string({ error: `must be ${allowed}` }).min(1, `must be ${allowed}`);
const whole = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.number({ error }).int(error).min(min, error).max(max, error);
};
const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be ${values.join(' or ')}` });
const list = <T extends z.ZodType>(element: T, what: string) =>
  z.array(element, { error: `must be a list of ${what}` }).min(1, `must list at least one of ${what}`);

const duration = parsed(parseDuration, 'a duration such as 60s or 30d');
const retentionRule = section({
  /** As in (0008,0060): MG. Without it: any. */
  modality: z
    .string()
    .regex(/^[A-Z0-9_]{1,16}$/, 'must be a modality such as MG')
    .optional(),
  keep: duration,
});
const rate = parsed(parseRate, 'a rate such as 20MB/s');
const percent = parsed(parsePercent, 'a percentage such as 85%');
const httpUrl = parsed((value) => {
  if (!URL.canParse(value)) throw new Error('must be a URL such as https://pacs.example');
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error('must begin with http:// or https://');
  return value.replace(/\/+$/, '');
}, 'a URL such as https://pacs.example');

const http = section({
  host: text('a host name or address').default('127.0.0.1'),
  port: whole(0, 65_535).default(8080),
  publicUrl: httpUrl.optional(),
  tls: section({ cert: text('a path'), key: text('a path') }).optional(),
  /** Web pages of these origins may use DICOMweb (CORS), or `*`; those of loopback always may. */
  origins: list(text('an origin such as https://viewer.example, or *'), 'origins').optional(),
  /** Whether DICOMweb serves DELETE; `filmroom delete` works either way. */
  delete: z.boolean({ error: 'must be true or false' }).default(true),
});

/** Signs links to single studies (`filmroom link`); without it there are none. */
const linkKey = text('a secret').min(32, 'must have at least 32 characters').optional();

const auth = z.discriminatedUnion(
  'mode',
  [
    section({ mode: z.literal('none') }),
    section({
      mode: z.literal('token'),
      tokens: list(
        section({
          name: text('a name'),
          token: text('a secret').min(16, 'must have at least 16 characters'),
          may: list(choice(ACTIONS), 'actions').optional(),
          studies: list(parsed(parseStudyUid, 'a Study Instance UID'), 'studies').optional(),
        }),
        'tokens',
      ),
      linkKey,
    }),
    section({
      mode: z.literal('oidc'),
      issuer: httpUrl,
      audience: text('an audience'),
      jwksUri: httpUrl.optional(),
      claims: section({
        may: text('the name of a claim').default('scope'),
        studies: text('the name of a claim').default('filmroom_studies'),
      }).prefault({}),
      linkKey,
    }),
  ],
  { error: 'mode must be none, token or oidc' },
);

const volume = section({ name: parsed(parseVolumeName, 'a volume name'), path: text('a path') });

/** What only a bucket has. */
const BUCKET_KEYS = [
  ...(['endpoint', 'region', 'accessKeyId', 'secretAccessKey', 'deleteAccessKeyId', 'deleteSecretAccessKey'] as const),
  ...(['objectLock', 'forcePathStyle', 'provider'] as const),
] as const;

const replica = section({
  name: parsed(parseReplicaName, 'a replica name'),
  url: text('file:DIRECTORY or s3://BUCKET/PREFIX').regex(
    /^(file:.+|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/.*)?)$/,
    'must be file:DIRECTORY or s3://BUCKET/PREFIX',
  ),
  endpoint: httpUrl.optional(),
  region: text('a region').optional(),
  accessKeyId: text('an access key id').optional(),
  secretAccessKey: text('a secret access key').optional(),
  /** Another access key, by which alone deletes are sent. */
  deleteAccessKeyId: text('an access key id').optional(),
  deleteSecretAccessKey: text('a secret access key').optional(),
  /** In a bucket that was made with object lock: everything is locked for so long, and again while it is wanted. */
  objectLock: section({ mode: choice(LOCK_MODES), days: whole(1, 36_500) }).optional(),
  forcePathStyle: z.boolean({ error: 'must be true or false' }).optional(),
  /** What fails together: a building, a provider. Default: each replica is its own. */
  domain: text('the name of a failure domain').optional(),
  /** Whose S3 it is, where the endpoint does not tell: docs/providers.md. */
  provider: choice(PROVIDER_NAMES).optional(),
}).superRefine((value, context) => {
  const fail = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  if (value.url.startsWith('file:')) {
    for (const key of BUCKET_KEYS) {
      if (value[key] !== undefined) fail(key, 'has no meaning for a directory (url file:…)');
    }
  } else if ((value.accessKeyId === undefined) !== (value.secretAccessKey === undefined)) {
    fail(
      value.accessKeyId === undefined ? 'accessKeyId' : 'secretAccessKey',
      'is missing; give both as text, as ${NAME} (environment) or as file:PATH, or neither for the AWS environment',
    );
  } else if ((value.deleteAccessKeyId === undefined) !== (value.deleteSecretAccessKey === undefined)) {
    fail(
      value.deleteAccessKeyId === undefined ? 'deleteAccessKeyId' : 'deleteSecretAccessKey',
      'is missing; give both, or neither: then deletes are sent with accessKeyId',
    );
  }
});

/** A token that holds the keys: docs/operations.md, Keys on a token. */
const pkcs11 = section({
  module: text('a path of a PKCS#11 library'),
  token: text("a token's label"),
  pin: text('a PIN'),
  newKeys: choice(['token', 'keyring']).default('token'),
});

/** Not read by this version; accepted with a warning at start, so that a configuration written for the next one works. */
const later = z.unknown().optional();

export const schema = section({
  http: http.prefault({}),
  auth: auth.default({ mode: 'none' }),
  index: section({
    url: text('sqlite:PATH')
      .regex(/^(sqlite|postgres(ql)?):.+/, 'must be sqlite:PATH')
      .default('sqlite:./data/index/filmroom.db'),
  }).prefault({}),
  hot: section({
    volumes: list(volume, 'volumes').prefault([{ name: 'a', path: './data/hot' }]),
    settle: duration.prefault('60s'),
    highWater: percent.prefault('85%'),
    lowWater: percent.prefault('75%'),
  }).prefault({}),
  cold: section({
    keyring: text('a path').default('./data/keyring.json'),
    pkcs11: pkcs11.optional(),
    suite: choice(['aes-256-gcm', 'sm4-ctr-hmac-sm3']).default('aes-256-gcm'),
    /** Beside `suite`; what is sealed with any other is refused. */
    openSuites: z.array(choice(['aes-256-gcm', 'sm4-ctr-hmac-sm3'])).optional(),
    writeQuorum: whole(1, 16).optional(),
    cloudDirectQuorum: whole(1, 16).optional(),
    /** Copies must lie in so many failure domains. */
    domains: whole(1, 16).default(1),
    replicas: list(replica, 'replicas').prefault([
      { name: 'r1', url: 'file:./data/replica-1' },
      { name: 'r2', url: 'file:./data/replica-2' },
    ]),
  }).prefault({}),
  tiering: section({
    // Taken as a promise by whoever sets it, so it is refused until it is kept.
    protect: z
      .literal('write-back', { error: 'must be write-back; write-through is not there yet in this version' })
      .default('write-back'),
    /** A pack is copied once it is this old, so that a study still being gathered is not uploaded twice. */
    protectAfter: duration.prefault('2m'),
    recall: choice(['on-open', 'never']).default('on-open'),
    /** Of what the background sends to the replicas. */
    upload: section({ rate: rate.optional() }).prefault({}),
    download: section({ rate: rate.optional() }).prefault({}),
    evict: section({ minAge: duration.prefault('30d') }).prefault({}),
    /** Of deep scrubs: how much they read at most, and how long after one the next begins by itself. */
    scrub: section({ rate: rate.optional(), every: duration.optional() }).prefault({}),
    prefetch: later,
    windows: later,
  }).prefault({}),
  retention: z.preprocess((rules) => [rules ?? []].flat(), z.array(retentionRule)),
  workers: section({
    threads: z
      .union([z.literal('auto'), whole(1, 256)], { error: 'must be auto or a number of threads' })
      .default('auto'),
  }).prefault({}),
  /** Who did what to which studies; `off` for none. */
  audit: z
    .union(
      [
        z.literal('off'),
        section({ path: text('a path').default('./data/audit'), retention: duration.prefault('180d') }),
      ],
      { error: 'must be off, or a section with keys: path, retention' },
    )
    .prefault({}),
  /** Drills that are held by themselves at night. */
  drills: z.preprocess(
    (drills) => [drills ?? []].flat(),
    z.array(
      section({
        what: choice(DRILL_KINDS),
        name: text('the name of a volume or replica').optional(),
        every: duration,
        for: duration.prefault('1m'),
      }),
    ),
  ),
  /** Signed reports of drills and failbacks; `off` for none. */
  reports: z
    .union(
      [
        z.literal('off'),
        section({ path: text('a path').default('./data/reports'), keep: whole(1, 100_000).default(1000) }),
      ],
      { error: 'must be off, or a section with keys: path, keep' },
    )
    .prefault({}),
});

export type Parsed = z.output<typeof schema>;
export type ReplicaConfig = Parsed['cold']['replicas'][number];
export type AuthConfig = Parsed['auth'];
