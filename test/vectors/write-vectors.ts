// Writes the test vectors into the directory given: only when the format changes, and then beside the old ones.
// After `npx tsc`: node dist/test/vectors/write-vectors.js test/vectors
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SUITE_IDS } from '../../tiering/format/suites.js';
import { makeVectors } from './make-vectors.js';

const [, , target] = process.argv;
if (target === undefined) throw new Error('usage: write-vectors.js DIRECTORY');
const vectors = await makeVectors();
const files = new Map<string, Uint8Array | string>([
  ['keyring.json', vectors.keyring],
  ['pack.tar', vectors.pack],
  ...[...vectors.objects].map(([name, bytes]) => [`bucket/${name}`, bytes] as const),
  ...[...(await makeVectors(SUITE_IDS['sm4-ctr-hmac-sm3'])).objects].map(
    ([name, bytes]) => [`bucket-sm4/${name}`, bytes] as const,
  ),
]);
for (const [name, bytes] of files) {
  const path = join(target, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}
