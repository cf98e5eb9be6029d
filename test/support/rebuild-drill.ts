// The drill of a lost server, by the real command line and over HTTP: an archive is filled and moved to its replicas, all answers of QIDO are
// written down, index, hot tier and all replicas but one are lost, the index is made again from that one, and the answers are compared.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { type PhantomInstance, phantomCt } from '../../dicom/phantom/phantom.js';
import { forEachLimited } from '../../tiering/core/queues.js';
import { CLI, GatewayProcess } from './gateway-process.js';
import { stow } from './stow.js';

const PER_REQUEST = 100;
const REQUESTS_AT_ONCE = 4;
/** Of a slice's pixels; its metadata are those of a real one. */
const SIDE = 8;
const PAGE = 1_000;

export interface Dump {
  /** Of every answer, in order. */
  readonly sha256: string;
  readonly bytes: number;
  readonly studies: number;
  readonly instances: number;
}

export interface RebuildOutcome {
  readonly code: number | null;
  readonly seconds: number;
  readonly peakBytes: number;
  readonly report: { readonly packs: number; readonly instances: number; readonly perSecond: number };
}

/** An archive with nothing on its hot tier. */
export async function coldArchive(instances: number): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.prepare({
    cold: {
      keyring: './data/keyring.json',
      writeQuorum: 2,
      replicas: [
        { name: 'r1', url: 'file:./data/replica-1' },
        { name: 'r2', url: 'file:./data/replica-2' },
      ],
    },
    index: { url: 'sqlite:./data/index/filmroom.db' },
    hot: { volumes: [{ name: 'a', path: './data/hot' }] },
  });
  try {
    await gateway.start();
    await forEachLimited(requests(instances), REQUESTS_AT_ONCE, async (batch) => {
      const { stored } = await stow(gateway.url, batch);
      if (stored.length !== batch.length) throw new Error(`${stored.length} of ${batch.length} were stored`);
    });
    const job = await gateway.job('migrate', { all: true });
    if (job.state !== 'done') throw new Error(`migrate ended ${JSON.stringify(job).slice(0, 1000)}`);
    return gateway;
  } catch (error) {
    await gateway.destroy();
    throw error;
  }
}

function* requests(instances: number): Generator<readonly PhantomInstance['bytes'][]> {
  for (let at = 0; at < instances; at += PER_REQUEST) {
    const count = Math.min(PER_REQUEST, instances - at);
    yield Array.from(
      { length: count },
      (_, n) => phantomCt({ seed: 5, index: at + n, rows: SIDE, columns: SIDE }).bytes,
    );
  }
}

/** Every study, every series of each and every instance of each, with all fields, as the server answers. */
export async function dumpQido(url: string): Promise<Dump> {
  const hash = createHash('sha256');
  let bytes = 0;
  let instances = 0;
  const uidsOf = async (path: string, tag: string) => {
    const uids: string[] = [];
    for (let offset = 0; ; offset += PAGE) {
      const answer = await fetch(`${url}/dicomweb/${path}?includefield=all&limit=${PAGE}&offset=${offset}`);
      if (answer.status === 204) return uids;
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text.slice(0, 500)}`);
      hash.update(text);
      bytes += text.length;
      const rows = JSON.parse(text) as Record<string, { Value?: string[] }>[];
      uids.push(...rows.map((row) => row[tag]?.Value?.[0] ?? ''));
      if (rows.length < PAGE) return uids;
    }
  };
  const studies = await uidsOf('studies', '0020000D');
  for (const study of studies) {
    for (const series of await uidsOf(`studies/${study}/series`, '0020000E')) {
      instances += (await uidsOf(`studies/${study}/series/${series}/instances`, '00080018')).length;
    }
  }
  return { sha256: hash.digest('hex'), bytes, studies: studies.length, instances };
}

/** The server is stopped; of the archive its keyring and the second replica are left, and the configuration says so. */
export async function loseAllButOneReplica(gateway: GatewayProcess): Promise<void> {
  await gateway.kill('SIGTERM');
  for (const lost of ['index', 'hot', 'replica-1']) {
    await rm(join(gateway.dir, 'data', lost), { recursive: true, force: true });
  }
  const config = parse(await readFile(gateway.configPath, 'utf8')) as { cold: { replicas: { name: string }[] } };
  const replicas = config.cold.replicas.filter(({ name }) => name === 'r2');
  await writeFile(gateway.configPath, stringify({ ...config, cold: { ...config.cold, writeQuorum: 1, replicas } }));
}

/** `filmroom rebuild-index`, watched for its memory. */
export async function rebuildOffline(gateway: GatewayProcess): Promise<RebuildOutcome> {
  const began = performance.now();
  const child = spawn(process.execPath, [CLI, 'rebuild-index', '--config', gateway.configPath, '--json'], {
    cwd: gateway.dir,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const exited = once(child, 'close') as Promise<[number | null]>;
  let peakBytes = 0;
  let over = false;
  void exited.then(() => {
    over = true;
  });
  while (!over) {
    for (const pid of [child.pid, ...(await childrenOf(child.pid))]) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      peakBytes = Math.max(peakBytes, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024);
    }
    await sleep(50);
  }
  const [code] = await exited;
  const seconds = (performance.now() - began) / 1000;
  return { code, seconds, peakBytes, report: JSON.parse(text) as RebuildOutcome['report'] };
}

async function childrenOf(pid: number | undefined): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.trim().split(/\s+/).filter(Boolean);
}
