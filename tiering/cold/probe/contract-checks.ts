// What every store must do, directory or bucket: what is written is there at once, whole, in part, in order, and gone when deleted.
import { createHash } from 'node:crypto';
import { hasCode } from '../../core/errors.js';
import { parseSha256, type Sha256 } from '../../core/ids.js';
import type { ProbeContext } from './findings.js';

const OBJECT_BYTES = 300_000;
const NOT_WHAT_WAS_ASKED = ['failed', 'the answer is not what was asked for'] as const;

export function sha256Of(bytes: Uint8Array): Sha256 {
  return parseSha256(createHash('sha256').update(bytes).digest('hex'));
}

/** Resolves with whether anything could be written at all. */
export async function contractChecks(context: ProbeContext): Promise<boolean> {
  const { store, findings, random, prefix } = context;
  const keys = ['a', 'b', 'c', 'd', 'e'].map((name) => context.key(name));
  const first = context.key('a');
  const body = random.bytes(OBJECT_BYTES);
  const sha256 = sha256Of(body);
  const same = (bytes: Uint8Array, wanted: Uint8Array = body) =>
    Buffer.compare(bytes, wanted) === 0 ? undefined : NOT_WHAT_WAS_ASKED;
  const written = await findings.check('write', async () => {
    for (const key of keys) await store.put(key, body, { sha256 });
    return undefined;
  });
  if (!written) return false;
  await findings.check('read after write', async () => same(await store.get(first)));
  await findings.check('length', async () =>
    (await store.head(first)).bytes === body.length ? undefined : NOT_WHAT_WAS_ASKED,
  );
  await findings.check('range', async () =>
    same(await store.get(first, { start: 1000, end: 70_000 }), body.subarray(1000, 70_000)),
  );
  await findings.check('range past the end', async () => {
    try {
      await store.get(first, { start: 1000, end: body.length + 1 });
      return ['failed', 'a range that goes past the end was answered'];
    } catch (error) {
      if (hasCode(error, 'CORRUPT')) return undefined;
      throw error;
    }
  });
  await findings.check('overwrite with equal bytes', async () => {
    await store.put(first, body, { sha256 });
    return same(await store.get(first));
  });
  await findings.check('list in order', async () => {
    const found: string[] = [];
    for await (const { key } of store.list(prefix, { after: first })) found.push(key);
    return found.join() === keys.slice(1).join() ? undefined : NOT_WHAT_WAS_ASKED;
  });
  await findings.check('an object that is not there', async () => {
    try {
      await store.head(context.key('nothing'));
      return ['failed', 'it says that there is one'];
    } catch (error) {
      if (hasCode(error, 'ABSENT')) return undefined;
      throw error;
    }
  });
  await findings.check('refuse a body that is not its SHA-256', () => refusesWrongHash(context, sha256));
  return true;
}

/** Needed only where the configuration counts on it: then a proof may be spared. */
async function refusesWrongHash(
  { store, random, key }: ProbeContext,
  sha256: Sha256,
): Promise<readonly ['ok' | 'lacking' | 'failed', string]> {
  const { verifiesSha256 } = store.capabilities;
  try {
    await store.put(key('wrong-hash'), random.bytes(1000), { sha256 });
  } catch (error) {
    if (!hasCode(error, 'CORRUPT')) throw error;
    return ['ok', verifiesSha256 ? '' : 'refused; the provider that is configured does not count on it'];
  }
  return verifiesSha256
    ? ['failed', 'it was stored, and the provider that is configured counts on a refusal: set provider: generic']
    : ['lacking', 'it was stored; every proof is a full read-back'];
}
