import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../core/clock.js';
import { generateKek } from './kek.js';
import { generateKeyring, withCurrentKek } from './keyring.js';
import { canonicalJson, readReport, requireOwnKey, signReport } from './signature.js';

const folder = mkdtempSync(join(tmpdir(), 'filmroom-signature-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const keyring = generateKeyring({ random: systemRandom, clock: systemClock });
const content = { kind: 'drill', atMs: 1_700_000_000_000, report: { what: 'replica', names: ['r1', 'é東'], lost: 0 } };
const signed = () => signReport(content, keyring, systemRandom);
const read = (text: string) => readReport(Buffer.from(text));
/** The file with one of its fields replaced. */
const withField = (text: string, name: string, value: unknown) =>
  JSON.stringify({ ...(JSON.parse(text) as object), [name]: value });

/** It takes the file apart as docs/operations.md says. */
const NO_JQ = spawnSync('jq', ['--version']).error !== undefined;

describe('a signed report', () => {
  it('says what was signed, and is the archive’s own', async () => {
    const report = read(await signed());
    expect(report).toMatchObject({ ...content, archive: keyring.archiveId, key: keyring.current });
    await requireOwnKey(report, keyring);
  });

  it('is still the archive’s own after a rotation, and after the key left it says which one is missing', async () => {
    const report = read(await signed());
    const rotated = withCurrentKek(keyring, generateKek(systemRandom, systemClock));
    await requireOwnKey(report, rotated);
    const without = { ...rotated, keys: rotated.keys.slice(-1) };
    await expect(requireOwnKey(report, without)).rejects.toMatchObject({
      code: 'WRONG_KEY',
      message: expect.stringContaining(keyring.current) as string,
    });
  });

  it('has a key of its own each time, and none that follows from the archive’s id', async () => {
    const [one, two] = [read(await signed()), read(await signed())];
    expect(one.publicKey).not.toBe(two.publicKey);
  });

  it('that was changed anywhere is CORRUPT', async () => {
    const text = await signed();
    const { body, signature } = JSON.parse(text) as { body: string; signature: string };
    const other = JSON.parse(await signed()) as { publicKey: string; signature: string };
    const flipped = Buffer.from(signature, 'base64');
    flipped[5] = (flipped[5] ?? 0) ^ 1;
    for (const changed of [
      withField(text, 'body', body.replace('"lost":0', '"lost":1')),
      withField(text, 'body', `${body} `),
      withField(text, 'signature', flipped.toString('base64')),
      withField(text, 'signature', other.signature),
      withField(text, 'publicKey', other.publicKey),
      withField(text, 'archive', '0f000000-0000-4000-8000-000000000000'),
      withField(text, 'key', 'k0123456789abcdef'),
      withField(text, 'format', 'other'),
      text.slice(0, -40),
    ]) {
      expect(() => read(changed)).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
    }
    expect(() => read(withField(text, 'version', 2))).toThrow(expect.objectContaining({ code: 'NOT_SUPPORTED' }));
  });

  it('that somebody without the keyring made is found out, though its signature is good', async () => {
    const thief = { ...generateKeyring({ random: systemRandom, clock: systemClock }), archiveId: keyring.archiveId };
    const forged = await signReport(content, { ...thief, current: thief.current }, systemRandom);
    await expect(requireOwnKey(read(forged), keyring)).rejects.toMatchObject({ code: 'WRONG_KEY' });
    // The same with the name of a key that the archive has.
    const named = {
      ...thief,
      current: keyring.current,
      keys: thief.keys.map((kek) => ({ ...kek, id: keyring.current })),
    };
    const imposed = read(await signReport(content, named, systemRandom));
    await expect(requireOwnKey(imposed, keyring)).rejects.toMatchObject({ code: 'CORRUPT' });
    const foreign = generateKeyring({ random: systemRandom, clock: systemClock });
    await expect(requireOwnKey(read(await signed()), foreign)).rejects.toMatchObject({ code: 'FOREIGN' });
  });

  it.skipIf(NO_JQ)(
    'is verified by openssl alone (needs jq), with the commands of docs/operations.md, and refused when a byte differs',
    async () => {
      writeFileSync(join(folder, 'report.json'), await signed());
      const commands = `jq -j .body "$1" > body.json && jq -j .publicKey "$1" > key.pem && jq -j .signature "$1" | openssl base64 -d -A > body.sig &&
      openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in body.json -sigfile body.sig`;
      const run = (script: string) =>
        spawnSync('sh', ['-c', script, 'sh', 'report.json'], { cwd: folder, encoding: 'utf8' });
      expect(run(commands)).toMatchObject({ status: 0, stdout: expect.stringContaining('Success') as string });
      const again = 'openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in body.json -sigfile body.sig';
      expect(run(`printf x >> body.json; ${again}`).status).not.toBe(0);
    },
  );
});

describe('canonical JSON', () => {
  it('is one text for one value, whatever order it was made in, and says the same value', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: -0.5, e: undefined })).toBe(
      '{"a":-0.5,"b":[1,{"c":"x","d":null}]}',
    );
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('refuses what JSON cannot say', () => {
    for (const value of [Number.NaN, 1n, () => 1, Symbol('a'), '\ud800', [undefined]]) {
      expect(() => canonicalJson({ value })).toThrow(expect.objectContaining({ code: 'INVALID' }));
    }
  });
});
