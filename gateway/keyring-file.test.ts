import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../tiering/core/clock.js';
import { generateKek } from '../tiering/format/kek.js';
import { serializeKeyring, withCurrentKek } from '../tiering/format/keyring.js';
import { createKeyring, readKeyring, replaceKeyring, writeKeyring } from './keyring-file.js';

const folder = mkdtempSync(join(tmpdir(), 'filmroom-keyring-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the keyring file', () => {
  it('is replaced whole, readable by its owner alone, whatever a crash left beside it', async () => {
    const path = join(folder, 'keyring.json');
    const first = await createKeyring(path, systemClock, systemRandom);
    writeFileSync(`${path}.new`, 'half of a key', { mode: 0o644 });
    const second = withCurrentKek(first, generateKek(systemRandom, systemClock));
    await replaceKeyring(path, second);
    expect(readFileSync(path, 'utf8')).toBe(serializeKeyring(second));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['keyring.json']);
    expect(readKeyring(path)).toEqual(second);
    await expect(writeKeyring(path, first)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('that cannot be replaced is UNAVAILABLE', async () => {
    const path = join(folder, 'not-there', 'keyring.json');
    const keyring = readKeyring(join(folder, 'keyring.json'));
    await expect(replaceKeyring(path, keyring)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ENOENT') as string,
    });
  });
});
