// The floors are enforced by dependency-cruiser, whose parser once saw no TypeScript at all and said that all was well.
// So it is held to this: a forbidden import fails, and it sees every relative import that the sources have.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const config = join(root, '.dependency-cruiser.cjs');
const bin = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

interface Cruise {
  readonly modules: readonly {
    readonly source: string;
    readonly dependencies: readonly { readonly resolved: string }[];
  }[];
}

async function cruise(cwd: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [bin, '--config', config, ...args], { cwd, maxBuffer: 64 << 20 });
  return stdout;
}

async function sources(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await sources(path)));
    else if (entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts')) found.push(path);
  }
  return found;
}

describe('the floors', () => {
  it.each([
    ['import { b } from', "import { b } from '../../gateway/b.js';\nexport const a = b;\n"],
    ['import type', "import type { B } from '../../gateway/b.js';\nexport type A = B;\n"],
    ['export from', "export { b } from '../../gateway/b.js';\n"],
    ['import()', "export const a = (): Promise<unknown> => import('../../gateway/b.js');\n"],
  ])('refuse an import from a higher floor written as %s', async (_, text) => {
    const folder = await mkdtemp(join(tmpdir(), 'filmroom-floors-'));
    try {
      await mkdir(join(folder, 'tiering/core'), { recursive: true });
      await mkdir(join(folder, 'gateway'));
      await writeFile(join(folder, 'gateway/b.ts'), 'export interface B {}\nexport const b = 1;\n');
      await writeFile(join(folder, 'tiering/core/a.ts'), text);
      await expect(cruise(folder, ['tiering', 'gateway'])).rejects.toMatchObject({
        stdout: expect.stringContaining('floor-0'),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('see every relative import of the sources', async () => {
    const floors = ['gateway', 'tools', 'dicomweb', 'tiering', 'dicom', 'workers'];
    const seen = JSON.parse(await cruise(root, [...floors, '--output-type', 'json'])) as Cruise;
    const edges = new Map(seen.modules.map((m) => [m.source, new Set(m.dependencies.map((d) => d.resolved))]));
    const unseen: string[] = [];
    let count = 0;
    for (const floor of floors) {
      for (const path of await sources(join(root, floor))) {
        const name = relative(root, path);
        for (const match of (await readFile(path, 'utf8')).matchAll(
          /^(?:import|export|\})[^'\n]*from '(\.[^']+)\.js';$/gm,
        )) {
          count += 1;
          const target = relative(root, join(dirname(path), `${match[1]}.ts`));
          if (existsSync(join(root, target)) && !edges.get(name)?.has(target)) unseen.push(`${name} -> ${target}`);
        }
      }
    }
    expect(unseen).toEqual([]);
    expect(count).toBeGreaterThan(20);
  });
});
