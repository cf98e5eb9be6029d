// Break-glass: one replica and the keyring give every instance back as Part 10 files, with no server, no
// index and no volume. What a hospital runs when it leaves, or when everything else is gone.
import { createHash } from 'node:crypto';
import type { ObjectStore } from '../../cold/object-store.js';
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { SopUid } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { openSegments, segmentSpan } from '../../format/chunk.js';
import type { Keyring } from '../../format/keyring.js';
import { unwrapDek } from '../../format/keys.js';
import type { ManifestBody, PackMember, PackSeal } from '../../format/types.js';
import type { JobFailure, JobOptions } from '../archive.js';
import { fetchStatement, statementNames } from '../removal/read-tombstones.js';
import { fetchManifest, listManifests, type ManifestRef } from './manifest-reader.js';

export interface ExtractOptions extends JobOptions {
  readonly store: ObjectStore;
  readonly keyring: Keyring;
  /**
   * Writes one file. `path` is `<Study UID>/<Series UID>/<SOP UID>.dcm`. When `bytes` throws (CORRUPT: the whole did not hash to what
   * the manifest says), nothing of the file may stay.
   */
  readonly out: (path: string, bytes: AsyncIterable<Uint8Array>) => Promise<void>;
}

export interface ExtractReport {
  readonly instances: number;
  readonly bytes: number;
  readonly failures: readonly JobFailure[];
}

/** Gives back every instance that the replica's manifests name and none of its tombstones, each checked by SHA-256. WRONG_KEY ends it; other failures are listed. */
export async function extractReplica(options: ExtractOptions): Promise<ExtractReport> {
  const failures: JobFailure[] = [];
  const dead = await deletedIn(options, failures);
  const manifests = await listManifests(options.store, options.signal);
  const done = new Map<SopUid, number>();
  let instances = 0;
  let bytes = 0;
  let packs = 0;
  for (const [, refs] of [...manifests].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const newest = await newestThatOpens(options, refs, failures);
    if (newest === undefined) continue;
    const { ref, body, seal } = newest;
    try {
      const dek = await unwrapDek(seal, body.pack, options.keyring);
      for (const member of body.members) {
        if (member.seq < (dead.get(`${member.sop} ${member.sha256}`) ?? 0)) continue;
        // An instance may be in a tray and in the pack that it was filed into: the lowest arrival is the one that counts.
        const before = done.get(member.sop);
        if (before !== undefined && before <= member.seq) continue;
        try {
          await options.out(
            `${member.study}/${member.series}/${member.sop}.dcm`,
            verified(options, body, seal, dek, member),
          );
        } catch (error) {
          failures.push(failure(options, `${ref.name}@${member.start}`, error));
          continue;
        }
        if (before === undefined) instances += 1;
        done.set(member.sop, member.seq);
        bytes += member.end - member.start;
      }
    } catch (error) {
      failures.push(failure(options, ref.name, error));
    }
    packs += 1;
    options.onProgress?.({
      step: 'extracting',
      packsDone: packs,
      packsTotal: manifests.size,
      bytesDone: bytes,
      bytesTotal: bytes,
    });
  }
  return { instances, bytes, failures };
}

async function newestThatOpens(
  options: ExtractOptions,
  refs: readonly ManifestRef[],
  failures: JobFailure[],
): Promise<{ ref: ManifestRef; body: ManifestBody; seal: PackSeal } | undefined> {
  for (const ref of refs) {
    options.signal?.throwIfAborted();
    try {
      return await fetchManifest(options.store, options.keyring, ref, options.signal);
    } catch (error) {
      failures.push(failure(options, ref.name, error));
    }
  }
  return undefined;
}

/** What the replica says was deleted: for `<SOP UID> <SHA-256>` the seq of the last delete. */
async function deletedIn(options: ExtractOptions, failures: JobFailure[]): Promise<ReadonlyMap<string, number>> {
  const dead = new Map<string, number>();
  for (const name of await statementNames(options.store, options.signal)) {
    try {
      const { seq, entries } = await fetchStatement(options.store, options.keyring, name, options.signal);
      for (const { sop, sha256 } of entries) {
        const key = `${sop} ${sha256}`;
        dead.set(key, Math.max(seq, dead.get(key) ?? 0));
      }
    } catch (error) {
      failures.push(failure(options, name, error));
    }
  }
  return dead;
}

function failure(options: ExtractOptions, item: string, error: unknown): JobFailure {
  options.signal?.throwIfAborted();
  const code = codeOf(error);
  // The wrong key opens nothing: going on would only repeat it.
  if (code === 'WRONG_KEY' || code === 'SUITE_REFUSED') throw error;
  return { item, code, detail: error instanceof Error ? error.message : 'unexpected' };
}

async function* verified(
  options: ExtractOptions,
  body: ManifestBody,
  seal: PackSeal,
  dek: Uint8Array,
  member: PackMember,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for (let at = member.start; at < member.end; ) {
    const number = Math.floor(at / CHUNK_BYTES);
    const end = Math.min(member.end, (number + 1) * CHUNK_BYTES);
    const piece = await readRange(options, body, seal, dek, number, at, end);
    hash.update(piece);
    yield piece;
    at = end;
  }
  if (hash.digest('hex') !== member.sha256) {
    throw new ArchiveError(
      'CORRUPT',
      `pack ${body.pack}, bytes ${member.start} to ${member.end}: SHA-256 differs from the manifest's`,
    );
  }
}

async function readRange(
  { store, signal }: ExtractOptions,
  body: ManifestBody,
  seal: PackSeal,
  dek: Uint8Array,
  number: number,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const chunk = body.chunks[number];
  if (chunk === undefined) throw new ArchiveError('CORRUPT', `the manifest of pack ${body.pack} lacks chunk ${number}`);
  const start = from - number * CHUNK_BYTES;
  const end = to - number * CHUNK_BYTES;
  const span = segmentSpan(chunk.bytes, start, end);
  const bytes = await store.get(chunk.name, { start: span.objectStart, end: span.objectEnd }, signal);
  const { suite, dekId } = seal;
  const { salt, commitment, bytes: chunkBytes } = chunk;
  return openSegments({
    bytes,
    pack: body.pack,
    chunk: number,
    suite,
    chunkBytes,
    dek,
    dekId,
    salt,
    commitment,
    start,
    end,
  });
}
