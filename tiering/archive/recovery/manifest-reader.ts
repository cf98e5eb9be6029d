// Reads packs back from what their manifests say: for the rebuild of an index, and for leaving without
// one. Newest generation of each pack; every claim was authenticated before it is believed.
import { levelAttributesOfJson } from '../../../dicom/level-attributes.js';
import type { ObjectStore } from '../../cold/object-store.js';
import { hasCode } from '../../core/errors.js';
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

/** The newest generation of each pack's manifest that a store lists under `prefix`. */
export async function newestManifests(
  store: ObjectStore,
  signal?: AbortSignal,
  prefix = MANIFEST_PREFIX,
): Promise<Map<PackId, ManifestRef>> {
  const newest = new Map<PackId, ManifestRef>();
  for await (const { key } of store.list(prefix, { signal })) {
    const name = parseManifestName(key);
    if (name === undefined) continue;
    const known = newest.get(name.pack);
    if (known === undefined || known.generation < name.generation) {
      newest.set(name.pack, { pack: name.pack, generation: name.generation, name: key });
    }
  }
  return newest;
}

/**
 * Gets and opens one, or the newer one that took its place since it was listed. CORRUPT, WRONG_KEY, ABSENT and UNAVAILABLE as they are.
 */
export async function fetchManifest(
  store: ObjectStore,
  keyring: Keyring,
  ref: ManifestRef,
  signal?: AbortSignal,
): Promise<{ body: ManifestBody; seal: PackSeal }> {
  try {
    return openManifest(await store.get(ref.name, undefined, signal), keyring);
  } catch (error) {
    if (!hasCode(error, 'ABSENT')) throw error;
    const newer = (await newestManifests(store, signal, manifestPrefix(ref.pack))).get(ref.pack);
    if (newer === undefined || newer.generation <= ref.generation) throw error;
    return openManifest(await store.get(newer.name, undefined, signal), keyring);
  }
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
