// Watches what may never happen, while it happens (DESIGN section 10): files that are removed, manifests that are written, rows without files.
import { hash } from 'node:crypto';
import type { ObjectKey, SopUid } from '../../../tiering/core/ids.js';
import type { Keyring } from '../../../tiering/format/keyring.js';
import { openManifest } from '../../../tiering/format/manifest.js';
import type { PackRef } from '../../../tiering/hot/volume.js';
import type { InstanceRecord, PackRecord } from '../../../tiering/index/index.js';
import type { Cloud, CloudWatch } from './cloud.js';
import type { Disk, DiskWatch } from './disk.js';
import type { IndexDisk } from './disk-index.js';
import { bytesOf, type Model } from './model.js';
import { otherOf } from './samples.js';

/** What is watched. */
export interface Scene {
  readonly model: Model;
  readonly index: IndexDisk;
  readonly disks: readonly Disk[];
  readonly clouds: readonly Cloud[];
  readonly keyring: Keyring;
  readonly options: { readonly writeQuorum: number };
  note(text: string): void;
}

export class Watchman implements DiskWatch, CloudWatch {
  readonly violations: string[] = [];
  readonly #world: Scene;

  constructor(world: Scene) {
    this.#world = world;
  }

  broken(what: string): void {
    this.#world.note(`BROKEN: ${what}`);
    this.violations.push(what);
  }

  /** I5: of what lives and lies in the file, there is enough elsewhere. */
  async onRemove(disk: Disk, ref: PackRef): Promise<void> {
    const bytes = wholeOf(disk, ref);
    if (bytes === null) return;
    for (const { sample } of this.#world.model.instances.values()) {
      const content = this.#world.model.certain(sample.sop);
      if (content === undefined || content === null) continue;
      if (!bytes.includes(Buffer.from(bytesOf(sample, content)))) continue;
      const why = await this.#lacks(sample.sop, bytesOf(sample, content), disk, ref);
      if (why !== null) this.broken(`I5: ${ref.kind} ${ref.id} is removed from ${disk.name}, and ${why}`);
    }
  }

  /** Whether everything that may live and lies on a disk is elsewhere too, and nothing is on its way to it. */
  async isSafeWithout(disk: Disk): Promise<boolean> {
    for (const kind of ['tray', 'pack'] as const) {
      for await (const { ref } of disk.volume.list(kind)) {
        const file = wholeOf(disk, ref);
        for (const { sample, may, changing } of this.#world.model.instances.values()) {
          if (changing > 0) return false;
          for (const content of [0, 1] as const) {
            if ([...may].every((one) => one === null) || (content === 1 && otherOf(sample) === undefined)) continue;
            const bytes = bytesOf(sample, content);
            if (file?.includes(Buffer.from(bytes)) !== true) continue;
            if ((await this.#lacks(sample.sop, bytes, disk, null)) !== null) return false;
          }
        }
      }
    }
    return true;
  }

  /** Null when an instance is safe without this file, or without the whole disk. */
  async #lacks(sop: SopUid, bytes: Uint8Array, disk: Disk, ref: PackRef | null): Promise<string | null> {
    const row = this.#world.index.ask<ReadonlyMap<SopUid, InstanceRecord>>('lookup', [sop]).get(sop);
    if (row === undefined) {
      const unread = await this.#liesUnread(bytes, disk, ref);
      return unread ? null : `${sop}, which lies in it, is in no index`;
    }
    const pack = this.#world.index.ask<PackRecord | undefined>('pack', row.pack);
    if (pack === undefined) return `${sop} lies in pack ${row.pack}, of which nothing is known`;
    const elsewhere = ref === null ? pack.volume !== disk.name : row.pack !== ref.id;
    if (elsewhere && (pack.hot === 'present' || pack.hot === 'open') && pack.volume !== null) {
      const other = this.#world.disks.find(({ name }) => name === pack.volume);
      const file = other === undefined ? null : wholeOf(other, { id: pack.id, kind: pack.kind });
      if (file?.subarray(row.start, row.end).equals(bytes) === true) return null;
      if (other?.harmed.has(pack.id) === true) return null;
    }
    const copies = await this.copies(pack);
    if (copies.length >= this.#world.options.writeQuorum) return null;
    return `${sop} lies in pack ${pack.id} (${pack.hot}), whose copies are on ${copies.join(', ') || 'no replica'} (removed from ${disk.name}: ${ref?.id ?? 'all'})`;
  }

  /** Whether the bytes lie in another tray, of which the index that lost their row is told when it is read. */
  async #liesUnread(bytes: Uint8Array, disk: Disk, ref: PackRef | null): Promise<boolean> {
    for (const other of this.#world.disks) {
      for await (const { ref: tray } of other.volume.list('tray')) {
        if (ref === null ? other === disk : tray.id === ref.id) continue;
        const known = this.#world.index.ask<PackRecord | undefined>('pack', tray.id);
        if (known !== undefined && known.hot !== 'open') continue;
        if (wholeOf(other, tray)?.includes(Buffer.from(bytes)) === true) return true;
      }
    }
    return false;
  }

  /** Replicas that really hold a pack. */
  async copies(pack: PackRecord): Promise<readonly string[]> {
    const chunks = pack.seal?.chunks.map(({ name }) => name) ?? [null];
    const copies: string[] = [];
    for (const { replica } of pack.placements) {
      const cloud = this.#world.clouds.find(({ name }) => name === replica);
      if (cloud === undefined) continue;
      const held = await Promise.all(chunks.map(async (name) => name !== null && (await cloud.holds(name))));
      // Of its manifests any: an older one says no less of what lives.
      const told = await cloud.held(`m/${pack.id}/`);
      if (told && held.every(Boolean)) copies.push(replica);
      else this.#world.note(`${replica} does not hold pack ${pack.id}: ${told ? chunks.join(', ') : 'no manifest'}`);
    }
    return copies;
  }

  /** I4: a manifest names only what is there. I10: names say nothing of patients. */
  async onPut(cloud: Cloud, key: ObjectKey, body: Uint8Array): Promise<void> {
    if (/[0-9]+\.[0-9]+\.[0-9]+/.test(key)) this.broken(`I10: object ${key} may name a UID`);
    if (key.startsWith('c/') && !key.endsWith(hash('sha256', body)))
      this.broken(`chunk ${key} is not what its name says`);
    if (!key.startsWith('m/')) return;
    const { body: manifest } = await openManifest(body, this.#world.keyring);
    for (const { name } of manifest.chunks) {
      if (!(await cloud.holds(name))) this.broken(`I4: ${key} is on ${cloud.name} before its chunk ${name}`);
    }
  }

  /** A row that says so has its file, unless the volume is away or the nemesis took it. */
  checkRows(): void {
    const world = this.#world;
    const { items } = world.index.ask<{ readonly items: readonly PackRecord[] }>('packs', {}, null, 1_000);
    for (const row of items) {
      if ((row.hot !== 'present' && row.hot !== 'open') || row.liveInstances === 0) continue;
      const disk = world.disks.find(({ name }) => name === row.volume);
      if (disk === undefined) this.broken(`${row.kind} ${row.id} is ${row.hot} on no volume`);
      else if (disk.volume.peek({ id: row.id, kind: row.kind }) === null)
        this.broken(`${row.kind} ${row.id} is ${row.hot} by the index, and its file is not on ${disk.name}`);
    }
  }
}

function wholeOf(disk: Disk, ref: PackRef): Buffer | null {
  const bytes = disk.volume.peek(ref);
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
