// Others who bring encrypted files to a bucket and back, as an administrator would run them from a terminal: rclone crypt and restic.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RgwSite } from '../../test/support/rgw.js';
import { BUCKET } from './clouds.js';

const run = promisify(execFile);
const PEER_MS_MAX = 120_000;

/** Copies a directory of files to the bucket and back. */
export interface Peer {
  readonly name: string;
  up(from: string, to: string): Promise<void>;
  down(from: string, to: string): Promise<void>;
}

/** Those that are installed, ready to be used. */
export async function peersAt(site: RgwSite): Promise<readonly Peer[]> {
  const found = await Promise.all([rclone(site), restic(site)]);
  return found.filter((peer) => peer !== null);
}

export const NO_PEERS = 'rclone and restic are not installed: no comparison with them';

/** `rclone copy` into and out of an encrypted remote, sixteen files at a time. It reads nothing back. */
async function rclone(site: RgwSite): Promise<Peer | null> {
  if (!(await installed('rclone'))) return null;
  const obscure = async (word: string) =>
    (await run('rclone', ['obscure', word], { env: environment({}) })).stdout.trim();
  const env = environment({
    RCLONE_CONFIG_LAB_TYPE: 's3',
    RCLONE_CONFIG_LAB_PROVIDER: 'Ceph',
    RCLONE_CONFIG_LAB_ACCESS_KEY_ID: site.accessKeyId,
    RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY: site.secretAccessKey,
    RCLONE_CONFIG_LAB_ENDPOINT: site.endpoint,
    RCLONE_CONFIG_LAB_REGION: site.region,
    RCLONE_CONFIG_SEALED_TYPE: 'crypt',
    RCLONE_CONFIG_SEALED_REMOTE: `lab:${BUCKET}/rclone`,
    RCLONE_CONFIG_SEALED_PASSWORD: await obscure('correct horse'),
    RCLONE_CONFIG_SEALED_PASSWORD2: await obscure('battery staple'),
  });
  const flags = ['--transfers', '16', '--s3-no-check-bucket', '--config', '/dev/null'];
  const copy = async (from: string, to: string, ...more: string[]) => {
    await run('rclone', ['copy', from, to, ...flags, ...more], { env, timeout: PEER_MS_MAX });
  };
  return {
    name: 'rclone crypt --transfers 16',
    up: (from, to) => copy(from, `sealed:${to}`, '--no-traverse'),
    down: (from, to) => copy(`sealed:${from}`, to),
  };
}

/** `restic backup` and `restore` of a repository in the bucket. It gathers files into packs as the product does, and reads nothing back either. */
async function restic(site: RgwSite): Promise<Peer | null> {
  if (!(await installed('restic'))) return null;
  const env = environment({
    RESTIC_REPOSITORY: `s3:${site.endpoint}/${BUCKET}/restic`,
    RESTIC_PASSWORD: 'correct horse',
    AWS_ACCESS_KEY_ID: site.accessKeyId,
    AWS_SECRET_ACCESS_KEY: site.secretAccessKey,
    AWS_DEFAULT_REGION: site.region,
  });
  const call = async (...words: string[]) => {
    await run('restic', [...words, '--no-cache', '--quiet'], { env, timeout: PEER_MS_MAX });
  };
  await call('init');
  return {
    name: 'restic',
    up: (from, to) => call('backup', from, '--tag', to),
    down: (from, to) => call('restore', 'latest', '--tag', from, '--target', to),
  };
}

function installed(command: string): Promise<boolean> {
  return run(command, ['version'], { env: environment({}) }).then(
    () => true,
    () => false,
  );
}

/** rclone 1.60 dies where AWS_CA_BUNDLE is set. */
function environment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { AWS_CA_BUNDLE: _, ...rest } = process.env;
  return { ...rest, ...more };
}
