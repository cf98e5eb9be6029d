import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { embeddedConfig, loadConfig } from './config-file.js';

const folder = mkdtempSync(join(tmpdir(), 'filmroom-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string, environment: Record<string, string> = {}) {
  const file = join(folder, 'filmroom.yaml');
  writeFileSync(file, text);
  return loadConfig(file, environment);
}

const YEAR_MS = 366 * 86_400_000;

/** The message, with the folder cut off. */
function refusal(text: string, environment: Record<string, string> = {}): string {
  try {
    load(text, environment);
  } catch (error) {
    return (error as Error).message.replace(`${folder}/`, '');
  }
  throw new Error('was accepted');
}

describe('the embedded default', () => {
  it('is loopback, one volume, two directory replicas, both of which must have every write', () => {
    const config = embeddedConfig('/srv/film');
    expect(config).toMatchObject({
      file: null,
      http: { host: '127.0.0.1', port: 8080 },
      auth: { mode: 'none' },
      index: { path: '/srv/film/data/index/filmroom.db' },
      hot: { volumes: [{ name: 'a', path: '/srv/film/data/hot' }], settleMs: 60_000, highWater: 0.85, lowWater: 0.75 },
      cold: {
        keyring: '/srv/film/data/keyring.json',
        pkcs11: null,
        writeQuorum: 2,
        cloudDirectQuorum: 2,
        replicas: [
          { name: 'r1', url: 'file:/srv/film/data/replica-1' },
          { name: 'r2', url: 'file:/srv/film/data/replica-2' },
        ],
      },
      tiering: {
        protect: 'write-back',
        protectAfterMs: 120_000,
        uploadBytesPerSecond: null,
        downloadBytesPerSecond: null,
        scrub: { bytesPerSecond: null, everyMs: null },
        recall: 'on-open',
        evictMinAgeMs: 30 * 86_400_000,
      },
      workers: { threads: 'auto' },
      audit: { path: '/srv/film/data/audit', retentionMs: 180 * 86_400_000 },
      drills: [],
      reports: { path: '/srv/film/data/reports', keep: 1000 },
      ignored: [],
    });
  });

  it('is what an empty file gives, relative to the file', () => {
    expect(load('')).toEqual({ ...embeddedConfig(folder), file: join(folder, 'filmroom.yaml') });
  });
});

describe('a configuration file', () => {
  it('takes every key of the map', () => {
    const config = load(
      `
http:    { host: 127.0.0.1, port: 8081, publicUrl: "https://pacs.example/film/", tls: { cert: c.pem, key: k.pem }, delete: false }
auth:    { mode: token, tokens: [ { name: viewer, token: "\${VIEWER_TOKEN}" } ] }
index:   { url: "sqlite:./i/filmroom.db" }
hot:     { volumes: [ { name: a, path: ./hot }, { name: b, path: /mnt/b } ], settle: 5s, highWater: 90%, lowWater: 70% }
cold:
  keyring: /etc/filmroom/keyring.json
  writeQuorum: 2
  cloudDirectQuorum: 1
  replicas:
    - { name: r1, url: "file:./r1" }
    - { name: r2, url: "s3://bucket/prefix", endpoint: "http://127.0.0.1:9000", region: us-east-1, accessKeyId: id, secretAccessKey: "file:secret.txt", forcePathStyle: true }
    - { name: r3, url: "s3://bucket3", accessKeyId: id, secretAccessKey: "x\${PART}y" }
tiering: { protect: write-back, protectAfter: 5m, recall: never, evict: { minAge: 30d }, prefetch: { priors: 3 }, windows: [], upload: { rate: 5MB/s }, download: { rate: 9MB/s }, scrub: { rate: 20MB/s, every: 30d } }
workers: { threads: 2 }
audit:   { path: ./audit, retention: 180d }
`.replace('secret.txt', writeSecret('s3cret\n')),
      { VIEWER_TOKEN: '0123456789abcdef', PART: '-' },
    );
    expect(config.http).toEqual({
      host: '127.0.0.1',
      port: 8081,
      publicUrl: 'https://pacs.example/film',
      tls: { cert: join(folder, 'c.pem'), key: join(folder, 'k.pem') },
      delete: false,
    });
    expect(config.auth).toEqual({ mode: 'token', tokens: [{ name: 'viewer', token: '0123456789abcdef' }] });
    expect(config.hot.volumes.map((one) => one.path)).toEqual([join(folder, 'hot'), '/mnt/b']);
    expect(config.cold).toMatchObject({ writeQuorum: 2, cloudDirectQuorum: 1, keyring: '/etc/filmroom/keyring.json' });
    expect(config.cold.replicas[1]).toMatchObject({ secretAccessKey: 's3cret', forcePathStyle: true });
    expect(config.cold.replicas[2]).toMatchObject({ secretAccessKey: 'x-y' });
    expect(config.tiering).toEqual({
      protect: 'write-back',
      protectAfterMs: 300_000,
      uploadBytesPerSecond: 5_000_000,
      downloadBytesPerSecond: 9_000_000,
      scrub: { bytesPerSecond: 20_000_000, everyMs: 2_592_000_000 },
      recall: 'never',
      evictMinAgeMs: 30 * 86_400_000,
    });
    expect(config.audit).toEqual({ path: join(folder, 'audit'), retentionMs: 180 * 86_400_000 });
    expect(load('audit: off').audit).toBeNull();
    const drill = { what: 'replica', name: 'r1', everyMs: 30 * 86_400_000, forMs: 60_000 };
    expect(load('drills: [{ what: replica, name: r1, every: 30d }]').drills).toEqual([drill]);
    expect(() => load('drills: [{ what: volume, name: r1, every: 30d }]')).toThrow('must be a volume or replica');
    expect(load('reports: off').reports).toBeNull();
    expect(load('reports: { path: ./r, keep: 7 }').reports).toEqual({ path: join(folder, 'r'), keep: 7 });
    expect(config.ignored).toEqual(['tiering.prefetch', 'tiering.windows']);
  });

  it.each([
    ['', []],
    ['retention: { keep: 15y }', [{ modality: null, keepMs: 15 * YEAR_MS }]],
    [
      'retention: [ { modality: MG, keep: 10y }, { keep: 15y } ]',
      [
        { modality: 'MG', keepMs: 10 * YEAR_MS },
        { modality: null, keepMs: 15 * YEAR_MS },
      ],
    ],
  ])('takes %j for rules of retention, in their order', (text, rules) => {
    expect(load(text).retention).toEqual(rules);
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [5, 3],
  ])('asks of %d replicas that %d have a write, unless it says otherwise', (replicas, quorum) => {
    const list = Array.from({ length: replicas }, (_, n) => `{ name: r${n}, url: "file:./r${n}" }`).join(', ');
    expect(load(`cold: { replicas: [ ${list} ] }`).cold.writeQuorum).toBe(quorum);
  });

  it.each([
    ['http:\n  prot: 1', 'filmroom.yaml:2: http unknown key prot; allowed here: host, port, publicUrl, tls, origins'],
    [
      'hott: {}',
      'filmroom.yaml: unknown key hott; allowed here: http, auth, index, hot, cold, tiering, retention, workers, audit, drills, reports',
    ],
    ['http: { port: "8080" }', 'filmroom.yaml:1: http.port must be a whole number from 0 to 65535'],
    ['http: { port: 70000 }', 'filmroom.yaml:1: http.port must be a whole number from 0 to 65535'],
    ['http: 8080', 'filmroom.yaml:1: http must be a section with keys: host, port, publicUrl, tls, origins'],
    ['hot:\n  settle: 60', 'filmroom.yaml:2: hot.settle must be a duration such as 60s or 30d'],
    ['hot: { settle: 60x }', 'filmroom.yaml:1: hot.settle a duration is a number with its unit'],
    ['hot: { highWater: 0.85 }', 'filmroom.yaml:1: hot.highWater must be a percentage such as 85%'],
    ['hot: { lowWater: 90% }', 'filmroom.yaml:1: hot.lowWater must be below hot.highWater'],
    ['hot: { volumes: [] }', 'filmroom.yaml:1: hot.volumes must list at least one of volumes'],
    ['hot: { volumes: [ { name: a } ] }', 'filmroom.yaml:1: hot.volumes[0].path must be a path'],
    ['hot: { volumes: [ { name: "../a", path: x } ] }', 'filmroom.yaml:1: hot.volumes[0].name not a volume name'],
    [
      'hot: { volumes: [ { name: a, path: x }, { name: a, path: y } ] }',
      'filmroom.yaml:1: hot.volumes[1].name is used twice',
    ],
    ['cold: { replicas: [ { name: r, url: "http://x" } ] }', 'cold.replicas[0].url must be file:DIRECTORY or s3://'],
    [
      'cold: { replicas: [ { name: r, url: "s3://bucket", accessKeyId: a } ] }',
      'cold.replicas[0].secretAccessKey is missing',
    ],
    [
      'cold: { replicas: [ { name: r, url: "s3://bucket", provider: acme } ] }',
      'cold.replicas[0].provider must be aws or ceph',
    ],
    [
      'cold: { replicas: [ { name: r, url: "file:x", region: y } ] }',
      'replicas[0].region has no meaning for a directory',
    ],
    ['cold: { writeQuorum: 3 }', 'filmroom.yaml:1: cold.writeQuorum must be at most the number of replicas, 2'],
    [
      'cold: { domains: 2, replicas: [ { name: a, url: "file:a", domain: x }, { name: b, url: "file:b", domain: x } ] }',
      'filmroom.yaml:1: cold.domains must be at most the number of failure domains of the replicas, 1',
    ],
    [
      'cold: { replicas: [ { name: r, url: "s3://bucket", objectLock: { mode: COMPLIANCE, days: 30 } } ] }',
      'cold.replicas[0].objectLock needs tiering.scrub.every, of at most half of its days',
    ],
    [
      'tiering: { scrub: { every: 16d } }\ncold: { replicas: [ { name: r, url: "s3://bucket", objectLock: { mode: GOVERNANCE, days: 30 } } ] }',
      'filmroom.yaml:2: cold.replicas[0].objectLock needs tiering.scrub.every',
    ],
    [
      'cold: { replicas: [ { name: r, url: "s3://bucket", deleteAccessKeyId: a } ] }',
      'cold.replicas[0].deleteSecretAccessKey is missing; give both, or neither',
    ],
    [
      'cold: { domains: 2, writeQuorum: 1 }',
      'filmroom.yaml:1: cold.domains must be at most the write quorum, 1: so many copies there are for sure',
    ],
    ['index: { url: "postgres://x" }', 'filmroom.yaml:1: index.url only sqlite:PATH is supported yet'],
    ['index: { url: "mysql:x" }', 'filmroom.yaml:1: index.url must be sqlite:PATH'],
    [
      'tiering: { protect: write-through }',
      'filmroom.yaml:1: tiering.protect must be write-back; write-through is not there yet in this version',
    ],
    ['retention: 15y', 'filmroom.yaml:1: retention[0] must be a section with keys: modality, keep'],
    ['retention: { keep: 15 }', 'must be a duration such as 60s or 30d'],
    ['retention: [ { modality: mammo, keep: 15y } ]', 'retention[0].modality must be a modality such as MG'],
    ['http: { host: 0.0.0.0 }', 'auth.mode none is allowed only where http.host is loopback'],
    ['auth: { mode: oidc, issuer: x }', 'filmroom.yaml:1: auth.issuer must be a URL such as https://pacs.example'],
    ['auth: { mode: basic }', 'mode must be none, token or oidc'],
    [
      'auth: { mode: token, tokens: [ { name: a, token: short } ] }',
      'auth.tokens[0].token must have at least 16 characters',
    ],
    [
      'auth: { mode: token, tokens: [ { name: a, token: "${NOT_SET}" } ] }',
      'asks for the environment variable NOT_SET',
    ],
    ['auth: { mode: token, tokens: [ { name: a, token: "file:none.txt" } ] }', 'none.txt: cannot be read (ENOENT)'],
    ['http: { host: a, host: b }', 'filmroom.yaml:1:18: not YAML: Map keys must be unique'],
    ['http: [', 'not YAML:'],
    ['- a', 'must be a section with keys: http, auth'],
  ])('%j is refused in one line that says where and what is allowed', (text, message) => {
    const shown = refusal(text);
    expect(shown).toContain(message);
    expect(shown).not.toContain('\n');
  });

  it('never shows a secret in a refusal', () => {
    const shown = refusal('auth: { mode: token, tokens: [ { name: a, token: "${T}" } ], extra: "${T}" }', {
      T: 'hunter2-hunter2-hunter2',
    });
    expect(shown).not.toContain('hunter2');
  });

  it('that is not there is refused by its name', () => {
    expect(() => loadConfig('/nowhere/filmroom.yaml', {})).toThrow('/nowhere/filmroom.yaml: cannot be read (ENOENT)');
  });
});

function writeSecret(text: string): string {
  writeFileSync(join(folder, 'secret.txt'), text);
  return 'secret.txt';
}
