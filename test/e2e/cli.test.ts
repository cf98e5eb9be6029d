// The command line as an operator's scripts use it: real processes against a real server on the configuration that `init` wrote. Exit
// codes, and `--json` alone on standard output (DESIGN section 11).
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.js';
import { type CommandResult, filmroom, get, search, sha256Of } from './gateway-clients.js';

const WHOLE = expect.any(Number);

let gateway: GatewayProcess;
let samples: string;

function inGateway(...names: readonly string[]): string {
  return join(gateway.dir, ...names);
}

/** A command against the server, with what it printed as JSON. */
async function ask(...args: readonly string[]): Promise<CommandResult & { readonly json: Record<string, unknown> }> {
  const environment = { FILMROOM_SERVER: gateway.url };
  const result = await filmroom([...args, '--json'], { cwd: gateway.dir, environment });
  let json: unknown;
  try {
    json = JSON.parse(result.stdout);
  } catch {
    throw new Error(`${args.join(' ')} printed no JSON on standard output:\n${result.stdout}\n${result.stderr}`);
  }
  return { ...result, json: json as Record<string, unknown> };
}

async function aStudy(modality: string): Promise<string> {
  const [row] = await search(gateway.url, `studies?ModalitiesInStudy=${modality}`);
  const uid = row?.['0020000D']?.Value?.[0];
  if (typeof uid !== 'string') throw new Error(`no study with ${modality}`);
  return uid;
}

/** SHA-256 of every sample, as it is on disk and as the server gives it back. */
async function sampleDifferences(): Promise<readonly string[]> {
  const stored = new Set<string>();
  for (const row of await search(gateway.url, 'instances?limit=1000')) {
    const value = (tag: string) => String(row[tag]?.Value?.[0]);
    const path = `studies/${value('0020000D')}/series/${value('0020000E')}/instances/${value('00080018')}`;
    const answer = await get(`${gateway.url}/dicomweb/${path}`, 'application/dicom; transfer-syntax=*');
    stored.add(sha256Of(Buffer.from(await answer.arrayBuffer())));
  }
  const missing: string[] = [];
  for (const name of await readdir(samples)) {
    if (!stored.has(sha256Of(await readFile(join(samples, name))))) missing.push(name);
  }
  return missing;
}

/** Commands change the archive step by step: the order of the tests is that of a first day with it. */
describe('the command line against a server', () => {
  beforeAll(async () => {
    gateway = await GatewayProcess.prepare();
    samples = inGateway('samples');
    await rm(gateway.configPath);
  });
  afterAll(() => gateway?.destroy());

  it('init writes a configuration and a keyring once, and never over what is there', async () => {
    const first = await filmroom(['init'], { cwd: gateway.dir });
    expect(first, first.stderr).toMatchObject({ code: 0 });
    const text = await readFile(gateway.configPath, 'utf8');
    expect((await filmroom(['init'], { cwd: gateway.dir })).code).toBe(2);
    expect(await readFile(gateway.configPath, 'utf8')).toBe(text);
    const port = new URL(gateway.url).port;
    expect(text).toContain('port: 8080');
    await writeFile(gateway.configPath, text.replace('port: 8080', `port: ${port}`));
  });

  it('config check is good for it, and one line and exit code 2 for a bad one', async () => {
    const good = await ask('config', 'check', 'filmroom.yaml');
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.json).toMatchObject({ writeQuorum: 2, replicas: [{ name: 'r1' }, { name: 'r2' }] });
    const text = await readFile(gateway.configPath, 'utf8');
    await writeFile(inGateway('bad.yaml'), text.replace('settle: 60s', 'setle: 60s'));
    const bad = await filmroom(['config', 'check', 'bad.yaml'], { cwd: gateway.dir });
    expect(bad).toMatchObject({ code: 2, stdout: '' });
    expect(bad.stderr.trim().split('\n')).toHaveLength(1);
    expect(bad.stderr).toMatch(/bad\.yaml.*setle/);
  });

  it('commands say that no server answers, with exit code 1, and with 2 for a command line that is wrong', async () => {
    const nobody = await ask('status');
    expect(nobody).toMatchObject({ code: 1, json: { error: { code: 'UNAVAILABLE' } } });
    for (const words of [['status', '--nonsense'], ['recall'], ['migrate', '--study', 'no-uid'], ['nonsense']]) {
      expect((await filmroom(words, { cwd: gateway.dir })).code, words.join(' ')).toBe(2);
    }
  });

  it('doctor finds nothing that fails, before the first start and while it serves', async () => {
    for (const start of [true, false]) {
      const { code, json, stderr } = await ask('doctor', '--config', 'filmroom.yaml');
      expect(code, stderr).toBe(0);
      const findings = json['findings'] as readonly { level: string; subject: string }[];
      expect(findings.filter(({ level }) => level === 'fail')).toEqual([]);
      expect(findings.map(({ subject }) => subject)).toEqual(
        expect.arrayContaining(['keyring', 'volume a', 'replica r1', 'replica r2']),
      );
      if (start) await gateway.start();
    }
  });

  it('sample and import bring studies in; a folder with something bad in it is partly done', async () => {
    const sample = await ask('sample', '--out', 'samples');
    expect(sample.code, sample.stderr).toBe(0);
    const names = await readdir(samples);
    expect(sample.json).toMatchObject({ instances: names.length });
    const imported = await ask('import', 'samples');
    expect(imported.code, imported.stderr).toBe(0);
    expect(imported.json).toMatchObject({ stored: names.length, refused: [], skipped: 0 });

    const [name = ''] = names;
    await mkdir(inGateway('mixed'));
    await copyFile(join(samples, name), inGateway('mixed', 'good.dcm'));
    await writeFile(inGateway('mixed', 'cut.dcm'), (await readFile(join(samples, name))).subarray(0, 400));
    const mixed = await ask('import', 'mixed');
    expect(mixed).toMatchObject({ code: 3, json: { stored: 1, refused: [{ file: 'cut.dcm', status: 409 }] } });
  });

  it('status --json has the shape that scripts rely on', async () => {
    const instances = (await readdir(samples)).length;
    // What a status says may be two seconds old, unless a job has ended since.
    await expect
      .poll(async () => (await ask('status')).json, { timeout: 10_000 })
      .toMatchObject({
        studies: { hot: 5, protected: WHOLE, cold: 0 },
        bytes: { hot: WHOLE, cold: WHOLE },
        unprotected: { instances, bytes: WHOLE, oldestAgeSeconds: WHOLE },
        volumes: [{ name: 'a', state: 'healthy', bytesFree: WHOLE }],
        replicas: ['r1', 'r2'].map((name) => ({ name, state: 'available', debt: { packs: WHOLE, bytes: WHOLE } })),
        jobs: [],
      });
  });

  it('migrate without --yes shows its plan, does nothing and ends with 2', async () => {
    const study = await aStudy('MG');
    const { code, json, stderr } = await ask('migrate', '--study', study);
    expect(code).toBe(2);
    expect(json).toMatchObject({ plan: { studies: 1, instances: 1, online: 1 }, confirmed: false });
    expect(stderr).toContain('--yes');
    expect((await ask('status')).json['studies']).toMatchObject({ hot: 5, cold: 0 });
  });

  it('migrate --study --yes makes one study cold, and migrate --all the rest; everything is still read', async () => {
    const one = await ask('migrate', '--study', await aStudy('MG'), '--yes');
    expect(one.code, one.stderr).toBe(0);
    expect(one.json).toMatchObject({ state: 'done', studies: 1, evicted: 1, failures: [] });
    expect((await ask('status')).json['studies']).toMatchObject({ hot: 4, cold: 1 });
    const all = await ask('migrate', '--all', '--yes');
    expect(all.code, all.stderr).toBe(0);
    const { json } = await ask('status');
    expect(json['studies']).toMatchObject({ hot: 0, cold: 5 });
    expect(json['unprotected']).toMatchObject({ instances: 0, bytes: 0, oldestAgeSeconds: null });
    expect(await sampleDifferences()).toEqual([]);
  });

  it('recall brings one study back, repatriate what a query or --all selects', async () => {
    const recalled = await ask('recall', '--study', await aStudy('MG'));
    expect(recalled).toMatchObject({ code: 0, json: { state: 'done', studies: 1, packs: 1, failures: [] } });
    const some = await ask('repatriate', '--query', 'ModalitiesInStudy=US');
    expect(some).toMatchObject({ code: 0, json: { state: 'done', studies: 1, failures: [] } });
    expect((await ask('repatriate', '--all')).code).toBe(0);
    expect((await ask('status')).json['studies']).toMatchObject({ hot: 5, cold: 0 });
    expect(await sampleDifferences()).toEqual([]);
  });

  it('scrub --deep finds what was lost and what was changed in a replica, and repair mends it', async () => {
    expect(await ask('scrub', '--deep')).toMatchObject({ code: 0, json: { state: 'done', findings: [] } });
    const chunks = (await readdir(inGateway('data/replica-1/c'), { recursive: true })).filter((key) => key.length > 60);
    const [lost = '', changed = ''] = chunks.map((key) => inGateway('data/replica-1/c', key));
    await rm(lost);
    const bytes = await readFile(changed);
    bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
    await writeFile(changed, bytes);
    const scrubbed = await ask('scrub', '--deep');
    expect(scrubbed.code, scrubbed.stderr).toBe(0);
    const findings = scrubbed.json['findings'] as readonly { where: string; fault: string }[];
    expect(findings.map(({ where, fault }) => `${where} ${fault}`).sort()).toEqual(['r1 corrupt', 'r1 missing']);
    const repaired = await ask('repair');
    expect(repaired).toMatchObject({ code: 0, json: { state: 'done', repaired: 2, failures: [] } });
    expect(await ask('scrub', '--deep')).toMatchObject({ code: 0, json: { findings: [] } });
    expect(sha256Of(await readFile(lost))).toBe(lost.split('/').at(-1));
  });

  it('jobs lists what ran, newest first; replica list and replica test speak of the replicas', async () => {
    const { code, json } = await ask('jobs');
    expect(code).toBe(0);
    const jobs = json['jobs'] as readonly { kind: string; state: string }[];
    expect(jobs.slice(0, 3).map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      'scrub done',
      'repair done',
      'scrub done',
    ]);
    expect(await ask('replica', 'list')).toMatchObject({
      code: 0,
      json: { replicas: [{ name: 'r1' }, { name: 'r2' }] },
    });
    expect(await ask('replica', 'test', 'r2', '--config', 'filmroom.yaml')).toMatchObject({
      code: 0,
      json: { name: 'r2', ok: true },
    });
  });

  it('delete shows its plan without --yes, then deletes everywhere; what is sent again lives', async () => {
    const study = await aStudy('US');
    const plan = await ask('delete', '--study', study);
    expect(plan).toMatchObject({ code: 2, json: { plan: { studies: 1, instances: WHOLE }, confirmed: false } });
    expect(plan.stderr).toContain('--yes');
    const before = (await search(gateway.url, 'studies')).length;
    const done = await ask('delete', '--study', study, '--yes');
    expect(done.code, done.stderr).toBe(0);
    const { instances } = plan.json['plan'] as { instances: number };
    expect(done.json).toMatchObject({ state: 'done', studies: 1, instances, durable: 'quorum', failures: [] });
    expect(await search(gateway.url, 'studies')).toHaveLength(before - 1);
    expect((await fetch(`${gateway.url}/dicomweb/studies/${study}/metadata`)).status).toBe(404);
    const again = await ask('delete', '--study', study, '--yes');
    expect(again).toMatchObject({ code: 1, json: { failures: [{ item: study, code: 'NOT_FOUND' }] } });
    expect((await filmroom(['delete', '--yes'], { cwd: gateway.dir })).code).toBe(2);
    expect((await ask('status')).json['deletes']).toEqual({ pending: 0, owed: 0, unread: [] });
    const pending = (await ask('status')).json['erasurePending'] as { instances: number };
    expect(pending.instances).toBeLessThanOrEqual(instances);
    expect(await ask('erase')).toMatchObject({ code: 2, json: { plan: {}, confirmed: false } });
    expect(await ask('erase', '--yes')).toMatchObject({
      code: 0,
      json: { state: 'done', pending: { instances: 0 }, failures: [], unavailable: [] },
    });
    const other = await aStudy('CT');
    const erased = await ask('delete', '--study', other, '--erase', '--yes');
    expect(erased.code, erased.stderr).toBe(0);
    expect(erased.json).toMatchObject({
      state: 'done',
      studies: 1,
      erased: { instances: WHOLE, pending: { instances: 0 } },
    });
    expect((await ask('status')).json['erasurePending']).toEqual({ instances: 0, bytes: 0 });
    expect(await ask('scrub', '--deep')).toMatchObject({ code: 0, json: { findings: [] } });
    await gateway.restart();
    expect(await search(gateway.url, 'studies')).toHaveLength(before - 2);
    expect((await ask('import', 'samples')).code).toBe(0);
    expect(await sampleDifferences()).toEqual([]);
  });

  it('volume fail takes a volume out of use with everything readable, over a restart, until volume return', async () => {
    expect((await ask('migrate', '--all', '--keep-hot', '--yes')).code).toBe(0);
    const plan = { volume: 'a', exposed: { packs: 0, instances: 0, bytes: 0 }, confirmed: false };
    expect(await ask('volume', 'fail', 'a')).toMatchObject({ code: 2, json: plan });
    expect((await ask('status')).json['ingest']).toBe('volume');
    expect(await ask('volume', 'fail', 'a', '--yes')).toMatchObject({ code: 0, json: { confirmed: true } });
    await gateway.restart();
    expect((await ask('volume', 'list')).json['volumes']).toMatchObject([{ name: 'a', state: 'failed' }]);
    expect(await sampleDifferences()).toEqual([]);
    expect(await ask('volume', 'return', 'a')).toMatchObject({ code: 0, json: { volume: 'a', state: 'healthy' } });
    expect((await ask('status')).json['ingest']).toBe('volume');
    expect(await ask('volume', 'fail', 'nowhere', '--yes')).toMatchObject({ code: 2 });
    expect(await sampleDifferences()).toEqual([]);
  });

  it('hold set refuses every delete of the study, over DICOMweb too and after a restart, until hold clear', async () => {
    const study = await aStudy('US');
    const reason = 'court of appeal';
    expect(await ask('hold', 'set', '--study', study, '--reason', reason)).toMatchObject({
      code: 0,
      json: { study, held: true, durable: 'quorum' },
    });
    await gateway.restart();
    expect(await ask('hold', 'list')).toMatchObject({ code: 0, json: { holds: [{ study, reason }] } });
    const refused = await fetch(`${gateway.url}/dicomweb/studies/${study}`, { method: 'DELETE' });
    expect([refused.status, refused.headers.get('content-type')]).toEqual([409, 'application/problem+json']);
    expect(((await refused.json()) as { detail: string }).detail).toContain(reason);
    const other = await aStudy('CT');
    const both = await ask('delete', '--study', other, '--study', study, '--erase', '--yes');
    expect(both).toMatchObject({
      code: 1,
      json: { state: 'failed', instances: 0, failures: [{ item: study, code: 'CONFLICT' }] },
    });
    expect(await ask('delete', '--study', study)).toMatchObject({
      code: 2,
      json: { plan: { refused: [{ study, cause: 'hold', until: null }] } },
    });
    expect(await sampleDifferences()).toEqual([]);
    expect(await ask('hold', 'clear', '--study', study)).toMatchObject({ code: 0, json: { held: false } });
    expect(await ask('hold', 'clear', '--study', study)).toMatchObject({ code: 1 });
    expect(await ask('delete', '--study', study, '--yes')).toMatchObject({ code: 0 });
    expect((await ask('import', 'samples')).code).toBe(0);
    expect(await sampleDifferences()).toEqual([]);
  });

  it('keys rotate wraps everything anew under a key that the next start has too; the old keyring then opens nothing', async () => {
    await copyFile(inGateway('data/keyring.json'), inGateway('old-keyring.json'));
    await chmod(inGateway('old-keyring.json'), 0o600);
    const listed = await ask('keys', 'list');
    expect(listed, listed.stderr).toMatchObject({
      code: 0,
      json: { keys: [{ current: true }], unreadable: [], unavailable: [] },
    });
    const [{ id: old }] = listed.json['keys'] as [{ id: string }];
    expect(await ask('keys', 'rotate')).toMatchObject({ code: 2, json: { confirmed: false } });
    const rotated = await ask('keys', 'rotate', '--yes');
    expect(rotated.code, rotated.stderr).toBe(0);
    expect(rotated.json).toMatchObject({
      state: 'done',
      resumed: false,
      rewrapped: WHOLE,
      failures: [],
      unavailable: [],
    });
    expect(rotated.json['rewrapped']).toBeGreaterThan(3);
    expect(await ask('scrub', '--deep')).toMatchObject({ code: 0, json: { findings: [] } });
    const removed = await ask('keys', 'remove', old, '--yes');
    expect(removed).toMatchObject({ code: 1, json: { error: { code: 'CONFLICT' } } });
    await gateway.restart();
    expect((await stat(inGateway('data/keyring.json'))).mode & 0o777).toBe(0o600);
    expect(await sampleDifferences()).toEqual([]);
    expect(await ask('keys', 'list')).toMatchObject({
      code: 0,
      json: {
        keys: [
          { id: old, current: false },
          { id: rotated.json['key'], current: true },
        ],
      },
    });
    const extract = (keyring: string) =>
      ask('extract', '--replica', `file:${inGateway('data/replica-1')}`, '--keyring', keyring, '--out', 'extracted');
    expect(await extract(inGateway('data/keyring.json'))).toMatchObject({ code: 0, json: { failures: [] } });
    expect(await extract(inGateway('old-keyring.json'))).toMatchObject({
      code: 1,
      json: { error: { code: 'WRONG_KEY' } },
    });
  });

  it('rebuild-index refuses beside a running server, and says the same of itself as --json', async () => {
    const refused = await ask('rebuild-index', '--config', 'filmroom.yaml');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'LOCKED' } } });
    expect(await sampleDifferences()).toEqual([]);
  });
});
