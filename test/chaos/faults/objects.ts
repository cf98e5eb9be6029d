// Objects of replicas that are damaged, gone, swapped or not what this archive writes, and files of the volume.
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { flipped } from '../../support/chaos-proxy.js';
import { type Damage, damage } from '../damage.js';
import type { Fault } from '../fault.js';
import type { Site } from '../site.js';
import { objectsOf, replace, type StoredObject } from '../stored-objects.js';

const HEADER = 160;
const SEGMENT = 65_536 + 16;

const object = (one: Omit<Damage, 'kind' | 'expected'> & Partial<Damage>): Fault =>
  damage({ kind: 'object', expected: 'read from another copy; found by a scrub, mended to the byte', ...one });

function longest(site: Site, at: number): StoredObject {
  const [one] = objectsOf(site, at, 'c');
  if (one === undefined) throw new Error('no chunk');
  return one;
}

/** The files of packs on the volume, oldest first: those of the study that is hot and protected among them. */
function hotPacks(site: Site): readonly string[] {
  const root = join(site.volume, 'packs');
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return files.map((one) => join(one.parentPath, one.name)).sort();
}

function hotPack(site: Site): { readonly path: string; readonly id: string } {
  const [path] = hotPacks(site);
  if (path === undefined) throw new Error('no pack on the volume');
  return { path, id: idOf(path) };
}

function idOf(path: string): string {
  return path.split('/').pop()?.replace('.tar', '') ?? '';
}

export const objectFaults: readonly Fault[] = [
  object({
    name: 'A bit flips in the header of a chunk',
    number: 36,
    means: 'one bit of the key commitment of a chunk of one replica',
    harm: (site) => {
      const one = longest(site, 0);
      replace(one, flipped(one.bytes, 130, 3));
      return [one.key];
    },
  }),
  object({
    name: 'A bit flips in a segment and in a tag',
    number: 36,
    means: 'one bit of a segment on one replica, of a tag on another',
    harm: (site) => {
      const [one, other] = [longest(site, 0), longest(site, 1)];
      replace(one, flipped(one.bytes, HEADER + 1_000, 5));
      replace(other, flipped(other.bytes, HEADER + SEGMENT - 3, 0));
      return [one.key, other.key];
    },
  }),
  object({
    name: 'Bits flip in manifests',
    number: 36,
    means: 'one bit of each of three manifests of one replica',
    harm: (site) => {
      const all = objectsOf(site, 1, 'm');
      for (const one of all) replace(one, flipped(one.bytes, Math.floor(one.bytes.length / 2), 1));
      return all.map(({ key }) => key);
    },
  }),
  object({
    name: 'Objects are cut, or longer than they were',
    number: 37,
    means: 'cut at a segment border, by one byte, to nothing; one byte more',
    harm: (site) => {
      const [a, b, c] = objectsOf(site, 0, 'c');
      if (a === undefined || b === undefined || c === undefined) throw new Error('too few chunks');
      replace(a, a.bytes.subarray(0, HEADER + SEGMENT));
      replace(b, b.bytes.subarray(0, -1));
      replace(c, Buffer.concat([c.bytes, Buffer.from([0])]));
      const other = longest(site, 1);
      replace(other, Buffer.alloc(0));
      return [a.key, b.key, c.key, other.key];
    },
  }),
  object({
    name: 'Segments in one another’s place',
    number: 38,
    means: 'first and second segment of a chunk swapped',
    harm: (site) => {
      const one = longest(site, 0);
      const at = (n: number) => HEADER + n * SEGMENT;
      const piece = (n: number) => one.bytes.subarray(at(n), at(n + 1));
      replace(one, Buffer.concat([one.bytes.subarray(0, HEADER), piece(1), piece(0), one.bytes.subarray(at(2))]));
      return [one.key];
    },
  }),
  object({
    name: 'Chunks and manifests in one another’s place',
    number: 38,
    means: 'three chunks, and three manifests, of one replica rotated',
    harm: (site) => {
      const groups = [objectsOf(site, 2, 'c'), objectsOf(site, 2, 'm')];
      for (const group of groups) {
        for (const [at, one] of group.entries()) replace(one, group[(at + 1) % group.length]?.bytes ?? null);
      }
      return groups.flat().map(({ key }) => key);
    },
  }),
  object({
    name: 'Objects of an unknown version, suite or size',
    number: 40,
    means: 'version 2; suite 255; segments of 2^31; 2^63 bytes',
    harm: (site) => {
      const fields: readonly (readonly [number, Buffer])[] = [
        [8, Buffer.from([0, 2])],
        [10, Buffer.from([0, 255])],
        [12, Buffer.from([0x80, 0, 0, 0])],
      ];
      const all = objectsOf(site, 0, 'c').slice(0, fields.length);
      for (const [n, one] of all.entries()) {
        const [at, value] = fields[n] ?? [24, Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0])];
        const changed = Buffer.from(one.bytes);
        value.copy(changed, at);
        replace(one, changed);
      }
      return all.map(({ key }) => key);
    },
  }),
  object({
    name: 'Objects of random bytes',
    number: 40,
    means: 'a chunk and a manifest replaced',
    harm: (site) => {
      const [chunk, [manifest]] = [longest(site, 1), objectsOf(site, 1, 'm')];
      if (manifest === undefined) throw new Error('no manifest');
      replace(chunk, randomBytes(chunk.bytes.length));
      replace(manifest, randomBytes(1_000));
      return [chunk.key, manifest.key];
    },
  }),
  object({
    name: 'Chunks are gone from one replica',
    number: 41,
    means: 'three chunks that manifests name deleted',
    harm: (site) => {
      const all = objectsOf(site, 0, 'c');
      for (const one of all) replace(one, null);
      return all.map(({ key }) => key);
    },
  }),
  object({
    name: 'Manifests are gone from every replica',
    number: 41,
    means: 'three manifests deleted on all three replicas',
    expected: 'found by a scrub, written anew from the index',
    harm: (site) => {
      const all = [0, 1, 2].flatMap((at) => objectsOf(site, at, 'm'));
      for (const one of all) replace(one, null);
      return [...new Set(all.map(({ key }) => key))];
    },
  }),
  object({
    name: 'A chunk is damaged on all replicas but one',
    number: null,
    means: 'flipped on one replica, deleted on another',
    harm: (site) => {
      const [one, other] = [longest(site, 0), longest(site, 1)];
      replace(one, flipped(one.bytes, HEADER + 9, 2));
      replace(other, null);
      return [one.key, other.key];
    },
  }),
  object({
    name: 'Each replica has another chunk damaged',
    number: null,
    means: 'one chunk of three, a different one on each of three replicas',
    harm: (site) => {
      const keys: string[] = [];
      for (const at of [0, 1, 2]) {
        const one = objectsOf(site, at, 'c')[at];
        if (one === undefined) throw new Error('too few chunks');
        replace(one, flipped(one.bytes, HEADER + 77, 7));
        keys.push(one.key);
      }
      return keys;
    },
  }),
  object({
    name: 'A hot file changes',
    number: 62,
    kind: 'disk',
    means: '64 bytes of a protected pack on the volume overwritten',
    expected: 'found by a scrub, put aside, served from the replicas, mended',
    harm: async (site) => {
      // Of a study that nobody reads until then: a range of a hot file is not hashed at each read.
      const before = new Set(hotPacks(site));
      const one = site.nextPhantom();
      await site.store([one]);
      site.stored.push(one);
      await site.job('migrate', { studies: [one.study], keepHot: true });
      const path = hotPacks(site).find((each) => !before.has(each) && readFileSync(each).includes(one.sop));
      if (path === undefined) throw new Error('the study has no pack');
      const bytes = readFileSync(path);
      bytes.fill(0xaa, bytes.length / 2, bytes.length / 2 + 64);
      writeFileSync(path, bytes);
      return [idOf(path)];
    },
  }),
  object({
    name: 'A hot file is cut',
    number: 62,
    kind: 'disk',
    means: 'a protected pack on the volume cut to a third',
    expected: 'served from the replicas; found by a scrub, mended',
    harm: (site) => {
      const { path, id } = hotPack(site);
      truncateSync(path, Math.floor(readFileSync(path).length / 3));
      return [id];
    },
  }),
  object({
    name: 'A hot file is gone',
    number: 62,
    kind: 'disk',
    means: 'a protected pack on the volume deleted',
    expected: 'served from the replicas; found by a scrub, mended',
    harm: (site) => {
      const { path, id } = hotPack(site);
      rmSync(path);
      return [id];
    },
  }),
];
