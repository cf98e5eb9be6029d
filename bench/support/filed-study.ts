// A study that is filed on the server and lies as plain files beside it, for those who move it to the cloud and back.
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PhantomInstance } from '../../dicom/phantom/phantom.js';
import type { GatewayProcess } from '../../test/support/gateway-process.js';
import { storeAll, withClient } from './http-client.js';
import { until } from './server.js';

/** Stores a study and waits for the packer, so that nothing is left to do but what is measured. */
export async function storeFiled(server: GatewayProcess, instances: readonly PhantomInstance[]): Promise<void> {
  const packs = join(server.dir, 'data', 'hot', 'packs');
  const filedBytes = async () => {
    const names = await readdir(packs, { recursive: true }).catch(() => []);
    const sizes = await Promise.all(
      names.filter((name) => name.endsWith('.tar')).map(async (name) => (await stat(join(packs, name))).size),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  };
  const wanted = (await filedBytes()) + instances.reduce((sum, { bytes }) => sum + bytes.length, 0);
  await withClient(server.url, 4, (client) => storeAll(client, instances));
  await until('the packer files the study', async () => (await filedBytes()) >= wanted);
}

/** The same instances as files, in a directory that holds nothing else. */
export async function writeFiles(dir: string, instances: readonly PhantomInstance[]): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  for (const { fileName, sop, bytes } of instances) await writeFile(join(dir, `${sop}-${fileName}`), bytes);
}
