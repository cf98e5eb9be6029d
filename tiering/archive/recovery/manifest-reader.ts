// Reads packs back from what their manifests say: for the rebuild of an index, and for leaving without
// one. Newest generation of each pack that opens; every claim was authenticated before it is believed.
import { createHash } from 'node:crypto';
import { levelAttributesOfJson } from '../../../dicom/level-attributes.js';
import type { ObjectStore } from '../../cold/object-store.js';
import { ArchiveError, hasCode } from '../../core/errors.js';
import type { ObjectKey, PackId } from '../../core/ids.js';
import type { Keyring } from '../../format/keyring.js';
import { openManifest } from '../../format/manifest.js';
import { MANIFEST_PREFIX, manifestPrefix, parseManifestName } from '../../format/names.js';
import type { ManifestBody, PackSeal } from '../../format/types.js';
import type { AdoptedPack } from '../../index/index.js';
import { inflateJson } from '../packs/bundles.js';

export interface ManifestRef {
  readonly pack: PackId;
  readonly generation: number;
  readonly name: ObjectKey;
}

/**
 * The manifests of each pack that a store lists under `prefix`, newest generation first. Older ones count too: the newest may be damaged, and
 * a name is no proof that there is anything behind it.
 */
export async function listManifests(
  store: ObjectStore,
  signal?: AbortSignal,
  prefix = MANIFEST_PREFIX,
): Promise<Map<PackId, ManifestRef[]>> {
  const found = new Map<PackId, ManifestRef[]>();
  for await (const { key } of store.list(prefix, { signal })) {
    const name = parseManifestName(key);
    if (name === undefined) continue;
    const known = found.get(name.pack) ?? [];
    known.push({ pack: name.pack, generation: name.generation, name: key });
    found.set(name.pack, known);
  }
  for (const refs of found.values()) refs.sort(byGeneration);
  return found;
}

/** Newest first; of two of one generation the lesser name, as the index chooses. */
export function byGeneration(a: ManifestRef, b: ManifestRef): number {
  return b.generation - a.generation || (a.name < b.name ? -1 : 1);
}

/**
 * Gets and opens one, or the newer one that took its place since it was listed; `ref` says which. CORRUPT, also when it is another object than
 * its name says; WRONG_KEY, ABSENT and UNAVAILABLE as they are.
 */
export async function fetchManifest(
  store: ObjectStore,
  keyring: Keyring,
  ref: ManifestRef,
  signal?: AbortSignal,
): Promise<{ ref: ManifestRef; body: ManifestBody; seal: PackSeal }> {
  try {
    return await openFrom(store, keyring, ref, signal);
  } catch (error) {
    if (!hasCode(error, 'ABSENT')) throw error;
    const [newer] = (await listManifests(store, signal, manifestPrefix(ref.pack))).get(ref.pack) ?? [];
    if (newer === undefined || newer.generation <= ref.generation) throw error;
    return openFrom(store, keyring, newer, signal);
  }
}

async function openFrom(store: ObjectStore, keyring: Keyring, ref: ManifestRef, signal: AbortSignal | undefined) {
  const object = await store.get(ref.name, undefined, signal);
  const sha256 = createHash('sha256').update(object).digest('hex');
  // Before it is opened: what lies there may be the sound manifest of another pack, or an older one of this.
  if (!sha256.startsWith(parseManifestName(ref.name)?.hash8 ?? '-')) {
    throw new ArchiveError('CORRUPT', `${ref.name} does not hash to its name`);
  }
  return { ref, ...(await openManifest(object, keyring)) };
}

/** The members of a manifest with what the index searches by, taken from its metadata bundles: no pixel is opened. */
export async function adoptable(
  body: ManifestBody,
  seal: PackSeal,
  where: Pick<AdoptedPack['pack'], 'hot' | 'volume'> & Pick<AdoptedPack, 'manifest' | 'placements'>,
): Promise<AdoptedPack> {
  const texts = new Map<string, Buffer>();
  for (const bundle of body.bundles) texts.set(bundle.series, await inflateJson(bundle.gzip));
  const attributes = body.members.map((m) =>
    levelAttributesOfJson(texts.get(m.series)?.toString('utf8', m.metaStart, m.metaEnd) ?? '{}'),
  );
  return {
    pack: {
      id: body.pack,
      kind: body.kind,
      bytes: body.bytes,
      createdMs: body.createdMs,
      hot: where.hot,
      volume: where.volume,
    },
    members: body.members,
    bundles: body.bundles,
    attributes,
    seal,
    manifest: where.manifest,
    placements: where.placements,
  };
}

/** Whether an error means "not from this copy", so that another one may be tried. */
export function isOfThisCopy(error: unknown): boolean {
  return hasCode(error, 'ABSENT', 'UNAVAILABLE', 'CORRUPT');
}
