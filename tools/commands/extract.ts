// filmroom extract: break-glass. One replica and the keyring give back every instance as a Part 10 file; no server, no index.
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import { embeddedConfig, loadConfig } from '../../gateway/config-file.js';
import { openKeys } from '../../gateway/keys.js';
import { openStore, type StorePlace } from '../../gateway/replica-stores.js';
import { extractReplica } from '../../tiering/archive/recovery/extract.js';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { readIdentity } from '../../tiering/cold/replicas/identity.js';
import { PROVIDER_NAMES, type ProviderName } from '../../tiering/cold/s3/providers.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { ArchiveError, hasCode } from '../../tiering/core/errors.js';
import { parseReplicaName } from '../../tiering/core/ids.js';
import { SUITE_IDS } from '../../tiering/format/suites.js';
import { EXIT, exitCodeOfCounts } from '../exit.js';
import { formatBytes, plural } from '../format.js';
import { finish, type Io, note, print, printJson } from '../io.js';
import { createProgressLine } from '../progress.js';

interface Options {
  readonly replica: string;
  readonly keyring: string;
  readonly config?: string;
  readonly out: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly provider?: string;
  readonly pathStyle?: boolean;
  readonly json?: boolean;
}

export function extractCommand(io: Io): Command {
  return new Command('extract')
    .description('give back every instance of one replica as a Part 10 file; needs no server and no index')
    .requiredOption('--replica <url>', 'file:DIRECTORY or s3://BUCKET/PREFIX')
    .requiredOption('--keyring <path>', 'the keyring of the archive')
    .option('--config <file>', 'a configuration whose cold.pkcs11 says where the token is, if one holds the keys')
    .requiredOption('--out <dir>', 'where STUDY/SERIES/INSTANCE.dcm files go; existing ones are replaced')
    .option('--endpoint <url>', 'S3: http(s)://host:port; left out for AWS')
    .option('--region <name>', 'S3: region')
    .option('--provider <name>', `S3: ${PROVIDER_NAMES.join(', ')}`)
    .option('--path-style', 'S3: http://host/bucket/key')
    .option('--json', 'the result as JSON on standard output')
    .addHelpText('after', '\nS3 credentials come from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.')
    .action(async (options: Options) => {
      await finish(io, options.json === true, () => extract(io, options));
    });
}

async function extract(io: Io, options: Options) {
  const keys = await openKeys(keysOf(io, options), { create: false, clock: systemClock, random: systemRandom });
  if (keys.warning !== null) note(io, keys.warning);
  const out = resolve(io.cwd, options.out);
  await mkdir(out, { recursive: true });
  const store = openStore(placeOf(io, options), false, { clock: systemClock, random: systemRandom });
  const line = createProgressLine(io.stderr, 'extract', () => performance.now());
  try {
    const open = await suitesOf(store, io.signal);
    const keyring = { ...keys.keyring, suites: { ...keys.keyring.suites, open } };
    const report = await extractReplica({
      store,
      keyring,
      signal: io.signal,
      onProgress: (progress) => line.update(progress),
      out: (path, bytes) => writeInstance(out, path, bytes),
    });
    line.end();
    if (options.json === true) printJson(io, report);
    else print(io, `extracted ${plural(report.instances, 'instance')}, ${formatBytes(report.bytes)}, to ${out}`);
    for (const { item, code, detail } of report.failures) note(io, `  ${item}: ${code}: ${detail}`);
    return report.failures.length === 0 ? EXIT.done : exitCodeOfCounts(report.instances, report.failures.length);
  } finally {
    line.end();
    keys.close();
    await store.close();
  }
}

/** Of a configuration nothing but its token counts here. */
function keysOf(io: Io, options: Options) {
  const named = options.config === undefined ? embeddedConfig(io.cwd) : loadConfig(options.config, io.environment);
  return { cold: { ...named.cold, keyring: resolve(io.cwd, options.keyring) } };
}

/** No configuration is at hand: what the replica says that its archive opens, or all that there are where it says nothing. */
async function suitesOf(store: ObjectStore, signal: AbortSignal): Promise<readonly number[]> {
  try {
    const config = await readIdentity(store, parseReplicaName('replica'), signal);
    if (config !== undefined) return config.suites;
  } catch (error) {
    if (!hasCode(error, 'UNAVAILABLE')) throw error;
  }
  return Object.values(SUITE_IDS);
}

function placeOf(io: Io, options: Options): StorePlace {
  const { replica, endpoint, region, pathStyle } = options;
  const provider = PROVIDER_NAMES.find((name): name is ProviderName => name === options.provider);
  if (options.provider !== undefined && provider === undefined) {
    throw new ArchiveError('INVALID', `--provider is one of ${PROVIDER_NAMES.join(', ')}`);
  }
  if (replica.startsWith('file:')) return { url: `file:${resolve(io.cwd, replica.slice('file:'.length))}` };
  const accessKeyId = io.environment['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = io.environment['AWS_SECRET_ACCESS_KEY'];
  return {
    url: replica,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(provider === undefined ? {} : { provider }),
    ...(pathStyle === true ? { forcePathStyle: true } : {}),
    ...(accessKeyId === undefined || secretAccessKey === undefined ? {} : { accessKeyId, secretAccessKey }),
  };
}

/** Under another name until it is whole: a file that is there is right. */
async function writeInstance(out: string, path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const file = resolve(out, path);
  const inside = relative(out, file);
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) {
    throw new ArchiveError('CORRUPT', 'a manifest names a path outside of the output folder');
  }
  await mkdir(dirname(file), { recursive: true });
  const unfinished = `${file}.part`;
  try {
    await pipeline(Readable.from(bytes, { objectMode: true }), createWriteStream(unfinished));
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
