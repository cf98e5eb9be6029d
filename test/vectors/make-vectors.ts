// Makes the test vectors of docs/format.md: a keyring, a pack, and the replica it becomes. Everything in them is fixed,
// so that what is made today can be compared with what was made when version 1 was released.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Clock, Random } from '../../tiering/core/clock.js';
import {
  type ObjectKey,
  parsePackId,
  parseSeriesUid,
  parseSha256,
  parseSopUid,
  parseStudyUid,
} from '../../tiering/core/ids.js';
import { sealChunk } from '../../tiering/format/chunk.js';
import { generateKek, type KekKind } from '../../tiering/format/kek.js';
import { generateKeyring, serializeKeyring, withCurrentKek } from '../../tiering/format/keyring.js';
import { drawSeal } from '../../tiering/format/keys.js';
import { sealManifest } from '../../tiering/format/manifest.js';
import { chunkName, encodeConfig, manifestName, readmeText } from '../../tiering/format/names.js';
import { SUITE_IDS } from '../../tiering/format/suites.js';
import { memberHeader, memberPadding, TAR_END } from '../../tiering/format/tar.js';
import { sealTombstone } from '../../tiering/format/tombstone.js';
import type { ManifestBody, PackMember, Tombstone } from '../../tiering/format/types.js';

/** Everything that lies under test/vectors/, by path. */
export interface Vectors {
  readonly keyring: string;
  readonly pack: Uint8Array;
  /** Objects of the replica, in the order in which they are to be written. */
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly chunkName: ObjectKey;
  readonly manifestName: ObjectKey;
  readonly body: ManifestBody;
  /** Deletes the second instance of the pack; names the first as well, with other bytes, which does it no harm. */
  readonly tombstone: Tombstone;
}

const PACK = parsePackId('018bcfe5-6800-7000-8000-000000000001');
const TOMBSTONE = parsePackId('018bcfe5-6800-7000-8000-000000000002');
const STUDY = parseStudyUid('1.2.826.0.1.3680043.8.498.10');
const NOW_MS = 1_700_000_000_000;
/** The third begins in the first segment and ends in the last one of three. */
const INSTANCE_BYTES = [1_000, 40_001, 99_000];

/** The same bytes in every run: SHA-256 of a counter. */
function fixedRandom(): Random {
  let counter = 0;
  return {
    bytes: (count) => {
      const blocks = Array.from({ length: Math.ceil(count / 32) }, () => {
        counter += 1;
        return createHash('sha256').update(`filmroom test vectors ${counter}`).digest();
      });
      return Buffer.concat(blocks).subarray(0, count);
    },
  };
}

function hash(data: Uint8Array) {
  return parseSha256(createHash('sha256').update(data).digest('hex'));
}

/** Not DICOM beyond its preamble and magic: nothing that opens a bucket looks further. */
function instanceData(at: number, bytes: number): Uint8Array {
  const data = Buffer.alloc(bytes, `filmroom vector ${at} `);
  data.fill(0, 0, 128);
  data.write('DICM', 128);
  return data;
}

/** Makes all vectors of one cipher suite in memory; keyring and pack are the same for each. Only the gzip parts of the manifest may differ between zlib versions. */
export async function makeVectors(suiteId: number = SUITE_IDS['aes-256-gcm'], kind: KekKind = 'k'): Promise<Vectors> {
  const random = fixedRandom();
  const clock: Pick<Clock, 'nowMs'> = { nowMs: () => NOW_MS };
  const ring = { ...generateKeyring({ random, clock }), suites: { seal: suiteId, open: [suiteId] } };
  const keyring = kind === 'k' ? ring : withCurrentKek({ ...ring, keys: [] }, generateKek(random, clock, kind));
  const pieces: Uint8Array[] = [];
  const members: PackMember[] = [];
  const series = parseSeriesUid(`${STUDY}.1`);
  let end = 0;
  const metadata = INSTANCE_BYTES.map((_, at) => JSON.stringify({ '00200013': { vr: 'IS', Value: [at + 1] } }));
  INSTANCE_BYTES.forEach((bytes, at) => {
    const data = instanceData(at, bytes);
    const sop = parseSopUid(`${STUDY}.1.${at + 1}`);
    const statement = { study: STUDY, series, sop, seq: at + 1, arrivedMs: NOW_MS + at, sha256: hash(data) };
    const header = memberHeader({ pack: PACK, ...statement, bytes });
    pieces.push(header, data, new Uint8Array(memberPadding(bytes)));
    const start = end + header.length;
    const metaStart = metadata.slice(0, at).reduce((sum, json) => sum + json.length + 1, 0);
    members.push({
      ...statement,
      sopClass: '1.2.840.10008.5.1.4.1.1.7',
      transferSyntax: '1.2.840.10008.1.2.1',
      instanceNumber: at + 1,
      seriesNumber: null,
      start,
      end: start + bytes,
      layout: '{"deflated":false,"pixels":null,"bulk":[]}',
      metaStart,
      metaEnd: metaStart + (metadata[at]?.length ?? 0),
    });
    end = start + bytes + memberPadding(bytes);
  });
  const pack = Buffer.concat([...pieces, TAR_END]);

  const { seal, dek } = await drawSeal({ pack: PACK, bytes: pack.length, suite: suiteId, keyring, random });
  const { suite, dekId } = seal;
  const sealed = seal.chunks.map(({ salt }, chunk) => {
    const object = sealChunk({ plaintext: pack, pack: PACK, chunk, suite, dek, dekId, salt }).sealed;
    return { object, name: chunkName(hash(object)) };
  });
  const [only] = sealed;
  if (only === undefined || sealed.length !== 1) throw new Error('the vectors have one chunk');
  const body: ManifestBody = {
    archiveId: keyring.archiveId,
    pack: PACK,
    kind: 'pack',
    generation: 1,
    createdMs: NOW_MS + 1000,
    bytes: pack.length,
    members,
    bundles: [{ series, gzip: Uint8Array.from(gzipSync(metadata.join(','))) }],
    chunks: seal.chunks.map((chunk) => ({ ...chunk, name: only.name })),
    supersedes: [],
  };
  const manifest = sealManifest(body, seal, dek, random);
  const name = manifestName(PACK, 1, hash(manifest));
  const [first, second] = members;
  if (first === undefined || second === undefined) throw new Error('the vectors have several members');
  const entries = [{ sop: first.sop, sha256: second.sha256 }, second].map(({ sop, sha256 }) => ({ sop, sha256 }));
  const tombstone = { seq: INSTANCE_BYTES.length + 1, entries };
  const deletion = await sealTombstone({ tombstone, id: TOMBSTONE, keyring, random });
  const objects = new Map<string, Uint8Array>([
    [
      'config',
      encodeConfig({ formatVersion: 1, archiveId: keyring.archiveId, ownerEpoch: 1, generation: 0, suites: [suiteId] }),
    ],
    ['README.txt', Buffer.from(readmeText(keyring.archiveId))],
    [only.name, only.object],
    [name, manifest],
    [deletion.name, deletion.object],
  ]);
  return {
    keyring: serializeKeyring(keyring),
    pack,
    objects,
    chunkName: only.name,
    manifestName: name,
    body,
    tombstone,
  };
}
