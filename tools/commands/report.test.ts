import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readKeyring } from '../../gateway/keyring-file.js';
import { reportFolder } from '../../gateway/reports/folder.js';
import { systemRandom } from '../../tiering/core/clock.js';
import { signReport } from '../../tiering/format/signature.js';
import type { ExitCode } from '../exit.js';
import { runProgram } from '../program.js';

const folder = mkdtempSync(join(tmpdir(), 'filmroom-report-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `filmroom` in this process, away from its streams. */
async function filmroom(args: readonly string[]) {
  const seen = { stdout: '', stderr: '', code: undefined as ExitCode | undefined };
  const io = {
    stdout: { write: (text: string) => (seen.stdout += text) },
    stderr: { write: (text: string) => (seen.stderr += text) },
    environment: {},
    cwd: folder,
    signal: new AbortController().signal,
    exit: (given: ExitCode) => {
      seen.code = given;
    },
  };
  await runProgram(io, args, '1.2.3');
  return seen;
}

describe('filmroom report', () => {
  it('lists, shows and verifies what the archive signed, by the configuration or by a keyring alone', async () => {
    await filmroom(['init', 'told/filmroom.yaml']);
    const config = ['--config', join(folder, 'told/filmroom.yaml')];
    expect(await filmroom(['report', 'list', ...config, '--json'])).toMatchObject({
      code: 0,
      stdout: '{\n  "reports": []\n}\n',
    });
    const ring = join(folder, 'told/data/keyring.json');
    const text = await signReport({ kind: 'drill', atMs: 0, report: { lost: 0 } }, readKeyring(ring), systemRandom);
    const name = 'drill-20260101T120000Z-0123abcd.json';
    const file = join(folder, 'told/data/reports', name);
    await reportFolder({ path: join(folder, 'told/data/reports'), keep: 10 }).put(name, text);
    expect((await filmroom(['report', 'list', ...config])).stdout).toContain(`2026-01-01T12:00:00Z  drill  ${name}`);
    const shown = await filmroom(['report', 'show', name, ...config]);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      kind: 'drill',
      at: '1970-01-01T00:00:00.000Z',
      report: { lost: 0 },
    });
    for (const by of [config, ['--keyring', ring]]) {
      expect(await filmroom(['report', 'verify', file, ...by])).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^good: a drill report/) as string,
      });
    }
    await filmroom(['init', 'other/filmroom.yaml']);
    const other = await filmroom([
      'report',
      'verify',
      file,
      '--keyring',
      join(folder, 'other/data/keyring.json'),
      '--json',
    ]);
    expect(other.code).toBe(1);
    expect(JSON.parse(other.stdout)).toMatchObject({ error: { code: 'FOREIGN' } });
    writeFileSync(file, text.replace('\\"lost\\":0', '\\"lost\\":1'));
    for (const args of [
      ['verify', file],
      ['show', name],
    ]) {
      const changed = await filmroom(['report', ...args, ...config]);
      expect(changed).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('changed after it was signed') as string,
      });
    }
  });
});
