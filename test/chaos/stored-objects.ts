// The objects of directory replicas, as files that can be looked at and harmed.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A site, as far as it is asked here. */
interface Folders {
  folder(at: number): string;
  /** What was there first, by `ownersOn`. */
  readonly first: ReadonlySet<string>;
}

/** An object of a directory replica. */
export interface StoredObject {
  /** `c/…` or `m/…`. */
  readonly key: string;
  readonly path: string;
  readonly bytes: Buffer;
}

/** Objects of one replica that are not going to change: chunks and newest manifests of the packs that were there first. Chunks by length, longest first. */
export function objectsOf(site: Folders, at: number, prefix: 'c' | 'm'): readonly StoredObject[] {
  const root = site.folder(at);
  const newest = new Map<string, string>();
  for (const key of keysOf(root, prefix)) {
    const owner = ownerOf(key);
    if (!site.first.has(owner) || generationOf(key) < generationOf(newest.get(owner) ?? '')) continue;
    newest.set(owner, key);
  }
  const objects = [...newest.values()].map((key) => ({
    key,
    path: join(root, key),
    bytes: readFileSync(join(root, key)),
  }));
  return prefix === 'c' ? objects.sort((a, b) => b.bytes.length - a.bytes.length) : objects;
}

/** By what each object of a directory replica is known for as long as it is needed: a chunk by its name, a manifest by its pack, since it is written anew under other names. */
export function ownersOn(root: string): readonly string[] {
  return [...keysOf(root, 'c'), ...keysOf(root, 'm')].map(ownerOf);
}

function keysOf(root: string, prefix: 'c' | 'm'): readonly string[] {
  const files = readdirSync(join(root, prefix), { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const paths = files.map((one) => join(one.parentPath, one.name)).filter((path) => !path.includes('.tmp'));
  return paths.map((path) => path.slice(root.length + 1)).sort();
}

function ownerOf(key: string): string {
  return key.startsWith('m/') ? key.split('/').slice(0, 2).join('/') : key;
}

/** `m/PACK/GENERATION-HASH`; of a chunk 0. */
function generationOf(key: string): number {
  return Number(/^m\/[^/]+\/(\d+)-/.exec(key)?.[1] ?? 0);
}

/** Puts other bytes in the place of an object; null: nothing. */
export function replace({ path }: StoredObject, bytes: Uint8Array | null): void {
  rmSync(path, { force: true });
  if (bytes !== null) writeFileSync(path, bytes);
}
