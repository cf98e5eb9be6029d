// An archive destroyed for good by destroying its keys, as the run-book of docs/operations.md has it: what is readable before, what is
// gone with what, and that nothing of a patient is left in any object of any replica.
import { readFile, rm } from 'node:fs/promises';
import { constants, gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type ArchiveRig, readAll } from '../../../test/support/archive-rig.js';
import {
  destroyRigs,
  files,
  first,
  ofStudy,
  PHANTOMS,
  rigOf,
  STUDIES,
  scopeOf,
} from '../../../test/support/removal-rig.js';
import { systemClock, systemRandom } from '../../core/clock.js';
import { joinKeyring, splitKeyring } from '../../format/key-shares.js';
import { generateKeyring, type Keyring } from '../../format/keyring.js';
import { extractReplica } from './extract.js';
import { rebuildIndex } from './rebuild.js';

afterEach(destroyRigs);

const GZIP = Buffer.from([0x1f, 0x8b, 0x08, 0x00]);
const REASON = 'hold of the court 4711';

/** Everything that tells of a patient: names, identifiers and UIDs of every phantom, and where samples and metadata begin. */
async function patientWords(rig: ArchiveRig): Promise<readonly string[]> {
  const words = new Set<string>(['DICM', REASON]);
  for (const { study, series, sop } of PHANTOMS) for (const uid of [study, series, sop]) words.add(uid);
  const all = { level: 'study', matches: [], fuzzy: false, limit: 100, offset: 0, include: 'all' } as const;
  for (const { attributes } of (await rig.archive.query(all)).rows) {
    const object = JSON.parse(attributes) as Readonly<Record<string, { vr: string; Value?: readonly unknown[] }>>;
    for (const tag of ['00100010', '00100020', '00080050', '00081030']) {
      for (const value of object[tag]?.Value ?? []) {
        const texts = typeof value === 'string' ? [value] : Object.values(value as Record<string, string>);
        for (const text of texts) if (text.length >= 4) words.add(text);
      }
    }
  }
  return [...words];
}

/** Of `words`, those that occur in the contents or the paths of these files. */
async function wordsIn(paths: readonly string[], words: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const path of paths) {
    const bytes = await readFile(path);
    for (const word of words) if (path.includes(word) || bytes.includes(word)) found.add(word);
  }
  return [...found];
}

/** Where in a file something compressed begins that inflates: what is packed before it is sealed must not lie there unsealed. */
async function compressedIn(paths: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const bytes = await readFile(path);
    for (let at = bytes.indexOf(GZIP); at >= 0; at = bytes.indexOf(GZIP, at + 1)) {
      // Of what follows it nothing is needed: a stream that is cut off gives what came before.
      const options = { finishFlush: constants.Z_SYNC_FLUSH };
      try {
        if (gunzipSync(bytes.subarray(at, at + 65_536), options).length > 16) found.push(path);
      } catch {
        // Not one.
      }
    }
  }
  return found;
}

async function extract(rig: ArchiveRig, replica: string, keyring: Keyring) {
  return extractReplica({
    store: await rig.store(replica),
    keyring,
    out: async (_path, bytes) => {
      await readAll(bytes);
    },
  });
}

describe('an archive whose keys are destroyed', () => {
  it('opens for nobody, says that it is the key, and holds no word of a patient in any object', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true }, { keepHot: true });
    // Every kind of object: chunks, manifests, a tombstone, a hold.
    await rig.archive.remove(scopeOf(first(PHANTOMS)));
    await rig.archive.setHold(first(STUDIES), REASON);
    const words = await patientWords(rig);
    expect(words.length).toBeGreaterThan(PHANTOMS.length + 6);
    await rig.close();

    // Until the keys are gone everything opens, with any copy of them: the file, or enough of the shares.
    expect(await extract(rig, 'r1', rig.keyring)).toMatchObject({ instances: PHANTOMS.length - 1, failures: [] });
    const shares = await splitKeyring(rig.keyring, { shares: 3, threshold: 2, random: systemRandom });
    const joined = { ...(await joinKeyring(shares.slice(1))), suites: rig.keyring.suites };
    expect(await extract(rig, 'r2', joined)).toMatchObject({ instances: PHANTOMS.length - 1, failures: [] });

    // What no key protects, and what goes with it: volumes (plain tars) and the index.
    const plain = [...(await files(rig.path('a'))), ...(await files(rig.path('index')))];
    const readable = await wordsIn(plain, words);
    for (const word of ['DICM', first(ofStudy(first(STUDIES))).sop, REASON]) expect(readable).toContain(word);
    expect(await compressedIn(plain)).not.toEqual([]);
    await rm(rig.path('a'), { recursive: true });
    await rm(rig.path('index'), { recursive: true });

    // What is left, searched: the plain `config` and `README.txt` name the archive and nothing else.
    for (const replica of rig.replicaNames) {
      const objects = await files(rig.path(replica));
      for (const kind of ['c', 'm', 't', 'h']) {
        expect([kind, objects.some((path) => path.startsWith(rig.path(replica, kind)))]).toEqual([kind, true]);
      }
      expect(await wordsIn(objects, words)).toEqual([]);
      expect(await compressedIn(objects)).toEqual([]);
    }

    // Another keyring of the same archive, which is what anybody could make now.
    const { archiveId, suites } = rig.keyring;
    const other = { ...generateKeyring({ random: systemRandom, clock: systemClock }), archiveId, suites };
    for (const replica of rig.replicaNames) {
      await expect(extract(rig, replica, other)).rejects.toMatchObject({ code: 'WRONG_KEY' });
    }
    const ctx = await rig.context({ volumes: [], keyring: other });
    const outcome = await rebuildIndex(ctx).then(
      ({ instances, failures }) => ({ instances, codes: failures.map(({ code }) => code) }),
      (error: unknown) => ({ instances: 0, codes: [(error as { code: string }).code] }),
    );
    expect(outcome.instances).toBe(0);
    expect(new Set(outcome.codes)).toEqual(new Set(['WRONG_KEY']));
    await rig.close();
    expect(await wordsIn(await files(rig.path('index')), words)).toEqual([]);
  });
});
