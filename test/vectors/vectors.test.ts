import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openChunk } from '../../tiering/format/chunk.js';
import { parseKeyring } from '../../tiering/format/keyring.js';
import { unwrapDek } from '../../tiering/format/keys.js';
import { openManifest } from '../../tiering/format/manifest.js';
import { parseConfig, parseStatementName } from '../../tiering/format/names.js';
import { scanTar } from '../../tiering/format/tar-scan.js';
import { openTombstone } from '../../tiering/format/tombstone.js';
import { makeVectors } from './make-vectors.js';

// The tests run from dist/test/vectors; the vectors stay where they are in the sources.
const folder = join(import.meta.dirname, '..', '..', '..', 'test', 'vectors');
const ring = parseKeyring(readFileSync(join(folder, 'keyring.json'), 'utf8'));
const pack = readFileSync(join(folder, 'pack.tar'));
const tools = ['python3', 'openssl'].every((tool) => spawnSync(tool, ['version']).error === undefined);

describe.each([
  ['aes-256-gcm', 1, 'bucket'],
  ['sm4-ctr-hmac-sm3', 2, 'bucket-sm4'],
] as const)('cipher suite %s', async (_name, suiteId, bucket) => {
  const vectors = await makeVectors(suiteId);
  const keyring = { ...ring, suites: { seal: suiteId, open: [suiteId] } };
  const manifestFile = readdirSync(join(folder, bucket, 'm', vectors.body.pack))[0] ?? '';
  const manifest = readFileSync(join(folder, bucket, 'm', vectors.body.pack, manifestFile));

  const tombstoneFile = readdirSync(join(folder, bucket, 't'))[0] ?? '';
  const tombstone = readFileSync(join(folder, bucket, 't', tombstoneFile));
  /** Those that its tombstone leaves. */
  const live = vectors.body.members.filter(({ seq }) => seq !== 2);

  describe('the test vectors of format 1', () => {
    it('are what this version still writes, but for gzip', () => {
      expect(readFileSync(join(folder, 'keyring.json'), 'utf8')).toBe(vectors.keyring);
      expect(Buffer.compare(pack, vectors.pack)).toBe(0);
      const chunk = readFileSync(join(folder, bucket, vectors.chunkName));
      expect(Buffer.compare(chunk, vectors.objects.get(vectors.chunkName) ?? Buffer.alloc(0))).toBe(0);
      expect(chunk.length).toBeGreaterThan(160 + 2 * 65_552);
    });

    it('open with this version', async () => {
      const { body, seal } = await openManifest(manifest, keyring);
      expect({ ...body, bundles: [] }).toEqual({ ...vectors.body, bundles: [] });
      expect(parseConfig(readFileSync(join(folder, bucket, 'config'))).archiveId).toBe(keyring.archiveId);
      const dek = await unwrapDek(seal, body.pack, keyring);
      const chunk = seal.chunks[0];
      if (chunk === undefined) throw new Error('the manifest names no chunk');
      const { suite, dekId } = seal;
      const opening = { pack: body.pack, chunk: 0, suite, dek, dekId, chunkBytes: chunk.bytes, salt: chunk.salt };
      const sealed = readFileSync(join(folder, bucket, chunk.name ?? ''));
      expect(Buffer.compare(openChunk(sealed, { ...opening, commitment: chunk.commitment }), pack)).toBe(0);
      const source = { size: pack.length, read: async (start: number, end: number) => pack.subarray(start, end) };
      const found: string[] = [];
      for await (const entry of scanTar(source, body.pack)) found.push(entry.sha256);
      expect(found).toEqual(body.members.map((member) => member.sha256));
      expect(await openTombstone(tombstone, keyring)).toEqual(vectors.tombstone);
      const hash = createHash('sha256').update(tombstone).digest('hex');
      expect(parseStatementName(`t/${tombstoneFile}`)).toEqual({
        kind: 'tombstone',
        seq: vectors.tombstone.seq,
        sha256: hash,
      });
    });
  });

  describe.skipIf(!tools)('the independent reader, open_bucket.py (needs python3 and openssl)', () => {
    function read(
      replica: string,
      keyringFile: string,
    ): { status: number | null; stdout: string; stderr: string; out: string } {
      const out = mkdtempSync(join(tmpdir(), 'filmroom-vectors-'));
      const script = join(folder, 'open_bucket.py');
      const { status, stdout, stderr } = spawnSync('python3', [script, replica, keyringFile, out], {
        encoding: 'utf8',
      });
      return { status, stdout, stderr, out };
    }

    it('gives every instance back but the deleted one, with nothing but the bucket and the keyring', () => {
      const { status, stderr, out } = read(join(folder, bucket), join(folder, 'keyring.json'));
      try {
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        const written = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.dcm'));
        expect(written).toHaveLength(live.length);
        for (const member of live) {
          const file = readFileSync(join(out, member.study, member.series, `${member.sop}.dcm`));
          expect(createHash('sha256').update(file).digest('hex')).toBe(member.sha256);
        }
      } finally {
        rmSync(out, { recursive: true });
      }
    });

    it('opens what was wrapped under a key of a token, once its secret is in a keyring', async () => {
      const other = await makeVectors(suiteId, 'h');
      const copy = mkdtempSync(join(tmpdir(), 'filmroom-vectors-'));
      for (const [name, bytes] of [...other.objects, ['keyring.json', Buffer.from(other.keyring)] as const]) {
        mkdirSync(dirname(join(copy, name)), { recursive: true });
        writeFileSync(join(copy, name), bytes);
      }
      expect(JSON.parse(other.keyring)).toMatchObject({ version: 2, current: expect.stringMatching(/^h/) as string });
      const { status, stderr, out } = read(copy, join(copy, 'keyring.json'));
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const written = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.dcm'));
      expect(written).toHaveLength(live.length);
      for (const folderOf of [copy, out]) rmSync(folderOf, { recursive: true });
    });

    it('refuses what was changed, and a keyring of another archive', () => {
      const copy = mkdtempSync(join(tmpdir(), 'filmroom-vectors-'));
      const outs = [copy];
      try {
        cpSync(join(folder, bucket), join(copy, bucket), { recursive: true });
        const chunk = readFileSync(join(copy, bucket, vectors.chunkName));
        chunk[70_000] = (chunk[70_000] ?? 0) ^ 1;
        writeFileSync(join(copy, bucket, vectors.chunkName), chunk);
        const changed = read(join(copy, bucket), join(folder, 'keyring.json'));
        outs.push(changed.out);
        expect(changed).toMatchObject({ status: 1, stderr: expect.stringContaining('a tag does not match') });

        const empty = JSON.stringify({ ...(JSON.parse(vectors.keyring) as object), keys: [] });
        writeFileSync(join(copy, 'keyring.json'), empty);
        const locked = read(join(folder, bucket), join(copy, 'keyring.json'));
        outs.push(locked.out);
        expect(locked).toMatchObject({ status: 1, stderr: expect.stringContaining(keyring.current) });
      } finally {
        for (const out of outs) rmSync(out, { recursive: true });
      }
    });
  });
});
