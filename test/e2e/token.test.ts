// An archive whose key a token holds (softhsm2, as a hospital has an HSM): what goes on when the token is gone, and that all is well again
// once it is back. Real processes, commands as an operator gives them.
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.js';
import { NO_SOFT_HSM, SoftHsm, tokenProcesses } from '../support/soft-hsm.js';
import { filmroom, search, sha256Of } from './gateway-clients.js';

const WAIT = { timeout: 60_000, interval: 200 };

describe.skipIf(NO_SOFT_HSM !== null)(`keys on a token${NO_SOFT_HSM === null ? '' : ` (${NO_SOFT_HSM})`}`, () => {
  let hsm: SoftHsm;
  let gateway: GatewayProcess;

  const inGateway = (...names: readonly string[]) => join(gateway.dir, ...names);
  const run = (...args: readonly string[]) =>
    filmroom(args, { cwd: gateway.dir, environment: { FILMROOM_SERVER: gateway.url, ...hsm.environment } });
  const ask = async (...args: readonly string[]) => {
    const result = await run(...args, '--json');
    return { ...result, json: JSON.parse(result.stdout) as Record<string, unknown> };
  };
  const keys = async () => {
    const ring = JSON.parse(await readFile(inGateway('data/keyring.json'), 'utf8')) as {
      current: string;
      keys: { id: string; secret?: string }[];
    };
    return ring;
  };

  /** How the server answers for each sample: whole, or the status. */
  async function answers(): Promise<ReadonlySet<string | number>> {
    const seen = new Set<string | number>();
    const stored = new Set(
      await Promise.all(
        (await readdir(inGateway('samples'))).map(async (name) => sha256Of(await readFile(inGateway('samples', name)))),
      ),
    );
    for (const row of await search(gateway.url, 'instances?limit=1000')) {
      const value = (tag: string) => String(row[tag]?.Value?.[0]);
      const path = `studies/${value('0020000D')}/series/${value('0020000E')}/instances/${value('00080018')}`;
      const accept = 'application/dicom; transfer-syntax=*';
      const answer = await fetch(`${gateway.url}/dicomweb/${path}`, { headers: { accept } });
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (!answer.ok) seen.add(answer.status);
      else seen.add(stored.has(sha256Of(bytes)) ? 'whole' : 'another');
    }
    return seen;
  }

  /** Some of what `sample` makes. */
  async function makeSamples(folder: string, ...options: readonly string[]): Promise<void> {
    expect((await run('sample', '--out', folder, ...options)).code).toBe(0);
    const names = (await readdir(inGateway(folder))).sort();
    for (const name of names.slice(6)) await rm(inGateway(folder, name));
  }

  const fault = async () => ((await ask('status')).json['keys'] as { fault: string | null }).fault;
  const unprotected = async () => ((await ask('status')).json['unprotected'] as { instances: number }).instances;

  /** The module cannot be loaded, and what had loaded it is gone, as after a crash of the device's driver. */
  async function takeAway(): Promise<void> {
    hsm.takeModuleAway();
    for (const pid of tokenProcesses(gateway.pid)) process.kill(pid, 'SIGKILL');
  }

  beforeAll(async () => {
    hsm = SoftHsm.create();
    gateway = await GatewayProcess.prepare();
    const { port } = new URL(gateway.url);
    await rm(gateway.configPath);
    await writeFile(inGateway('pin'), `${hsm.place.pin}\n`);
    const token = ['--pkcs11-module', hsm.place.module, '--token', hsm.place.token, '--pin', 'file:./pin'];
    const made = await run('init', ...token);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    const text = await readFile(gateway.configPath, 'utf8');
    await writeFile(
      gateway.configPath,
      text
        .replace('port: 8080', `port: ${port}`)
        .replace('protectAfter: 2m', 'protectAfter: 0s')
        .replace('settle: 60s', 'settle: 0s')
        .replace('recall: on-open', 'recall: never'),
    );
  });
  afterAll(async () => {
    await gateway?.destroy();
    hsm?.destroy();
  });

  it('init draws the key there, the keyring holds no secret, and doctor sees both', async () => {
    const ring = await keys();
    expect(ring.keys).toHaveLength(1);
    expect(ring.current).toMatch(/^h/);
    expect(ring.keys[0]).not.toHaveProperty('secret');
    const { code, json } = await ask('doctor', '--config', 'filmroom.yaml');
    expect(code).toBe(0);
    expect(json['findings']).toContainEqual(
      expect.objectContaining({ level: 'ok', subject: `token ${hsm.place.token}` }),
    );
  });

  it('store, migrate, read cold', async () => {
    await gateway.start();
    await makeSamples('samples');
    expect((await ask('import', 'samples')).code).toBe(0);
    const migrated = await ask('migrate', '--all', '--yes');
    expect(migrated, migrated.stderr).toMatchObject({ code: 0 });
    expect(await answers()).toEqual(new Set(['whole']));
    expect(await fault()).toBeNull();
  });

  it('rotate draws the next key on the token too, and the next start opens both', async () => {
    const { current } = await keys();
    const rotated = await ask('keys', 'rotate', '--yes');
    expect(rotated, rotated.stderr).toMatchObject({ code: 0, json: { state: 'done' } });
    const ring = await keys();
    expect(ring.keys.map(({ id }) => id)).toEqual([current, ring.current]);
    expect(hsm.readSecret(ring.current)).toBe('CKR_ATTRIBUTE_SENSITIVE');
    await gateway.restart();
    expect(await answers()).toEqual(new Set(['whole']));
  });

  it('gone in the middle: what was opened is still read, arrivals are taken and wait for protection, deletes are refused', async () => {
    await takeAway();
    expect(await answers()).toEqual(new Set(['whole']));
    await makeSamples('later', '--seed', '7');
    expect((await ask('import', 'later')).code).toBe(0);
    await vi.waitFor(async () => expect(await fault()).toMatch(/module\.so cannot be loaded/), WAIT);
    expect(await unprotected()).toBeGreaterThan(0);
    const [row] = await search(gateway.url, 'studies?limit=1');
    const study = String(row?.['0020000D']?.Value?.[0]);
    const refused = await fetch(`${gateway.url}/dicomweb/studies/${study}`, { method: 'DELETE' });
    expect(refused.status).toBe(503);
    expect(await search(gateway.url, `studies?StudyInstanceUID=${study}`)).toHaveLength(1);
  });

  it('gone at a start: it serves what is hot and takes arrivals; cold studies are 503, with what to look at', async () => {
    await gateway.restart();
    expect(gateway.output).toMatch(/keys cannot be used/);
    const seen = await answers();
    expect(seen).toContain(503);
    // `later` is not among the samples: it is what is hot.
    expect(seen).toContain('another');
    expect(seen.size).toBe(2);
    expect(await run('doctor', '--config', 'filmroom.yaml')).toMatchObject({ code: 1 });
    const extract = ['extract', '--replica', `file:${inGateway('data/replica-1')}`, '--keyring', 'data/keyring.json'];
    const extracted = await run(...extract, '--config', 'filmroom.yaml', '--out', 'nothing');
    expect(extracted.code).not.toBe(0);
    expect(extracted.stderr).toMatch(/module\.so cannot be loaded/);
  });

  it('back again: all of it is read and protected, with no restart', async () => {
    hsm.bringModuleBack();
    await vi.waitFor(async () => expect(await unprotected()).toBe(0), WAIT);
    expect(await fault()).toBeNull();
    for (const name of await readdir(inGateway('later')))
      await copyFile(inGateway('later', name), inGateway('samples', `later-${name}`));
    expect(await answers()).toEqual(new Set(['whole']));
  });

  it('reseal: the plan says what will be sent; done, the key that leaked opens nothing that is there', async () => {
    const { current: leaked } = await keys();
    const plan = await run('keys', 'rotate', '--reseal');
    expect(plan).toMatchObject({ code: 2 });
    expect(plan.stderr).toMatch(/to each of 2 replicas.*cannot undo/s);
    const done = await ask('keys', 'rotate', '--reseal', '--yes');
    expect(done, done.stderr).toMatchObject({ code: 0, json: { failures: [] } });
    expect(done.json['resealed']).toBeGreaterThan(0);
    const listed = (await ask('keys', 'list')).json['keys'] as {
      id: string;
      replicas: { manifests: number; tombstones: number }[];
    }[];
    const old = listed.find(({ id }) => id === leaked);
    expect(old?.replicas.map(({ manifests, tombstones }) => manifests + tombstones)).toEqual([0, 0]);
    expect(await answers()).toEqual(new Set(['whole']));
  });

  it('a bucket, the token and the keyring that the token gives back anew are all that extract needs', async () => {
    const before = await keys();
    await gateway.kill('SIGTERM');
    await rm(inGateway('data/keyring.json'));
    const recovered = await run('keys', 'from-token', '--config', 'filmroom.yaml');
    expect(recovered, recovered.stderr).toMatchObject({ code: 0 });
    expect(await keys()).toMatchObject({ current: before.current, keys: before.keys.map(({ id }) => ({ id })) });
    const extract = ['extract', '--replica', `file:${inGateway('data/replica-1')}`, '--keyring', 'data/keyring.json'];
    const blind = await run(...extract, '--out', 'blind');
    expect(blind.code).not.toBe(0);
    expect(blind.stderr).toMatch(/cold\.pkcs11/);
    const { code, json } = await ask(...extract, '--config', 'filmroom.yaml', '--out', 'extracted');
    expect(code).toBe(0);
    expect(json).toMatchObject({ failures: [] });
    const rebuilt = await (async () => {
      await rm(inGateway('data/index'), { recursive: true });
      return ask('rebuild-index', '--config', 'filmroom.yaml');
    })();
    expect(rebuilt, rebuilt.stderr).toMatchObject({ code: 0 });
    await gateway.start();
    expect(await answers()).toEqual(new Set(['whole']));
  });

  it('a wrong PIN is one line at the start, and the token is not asked twice', async () => {
    await gateway.kill('SIGTERM');
    await writeFile(inGateway('pin'), '111111\n');
    const refused = await run('serve', '--config', 'filmroom.yaml');
    expect(refused.code).toBe(2);
    expect(
      refused.stderr
        .trim()
        .split('\n')
        .filter((line) => line.includes('PIN')),
    ).toHaveLength(1);
    await writeFile(inGateway('pin'), hsm.place.pin);
  });

  it('leaves its token by one rotation: then the keyring alone opens the bucket', async () => {
    const text = await readFile(gateway.configPath, 'utf8');
    await writeFile(gateway.configPath, text.replace('pin: "file:./pin"', 'pin: "file:./pin", newKeys: keyring'));
    await gateway.start();
    expect((await ask('keys', 'rotate', '--yes')).code).toBe(0);
    const { current } = await keys();
    expect(current).toMatch(/^k/);
    await gateway.kill('SIGTERM');
    const { json } = await ask(
      'extract',
      '--replica',
      `file:${inGateway('data/replica-1')}`,
      '--keyring',
      'data/keyring.json',
      '--out',
      'left',
    );
    expect(json).toMatchObject({ failures: [] });
  });
});
