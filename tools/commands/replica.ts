// filmroom replica: `list` what the server knows of its replicas; `test` one before it is trusted.
import { createHash, randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { embeddedConfig, loadConfig } from '../../gateway/config-file.js';
import { openStore } from '../../gateway/replica-stores.js';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { ArchiveError, hasCode } from '../../tiering/core/errors.js';
import { parseObjectKey, parseSha256 } from '../../tiering/core/ids.js';
import { EXIT } from '../exit.js';
import { formatBytes, formatTable, plural } from '../format.js';
import { finish, type Io, print, printJson } from '../io.js';
import { serverCommand, withServer } from '../server-command.js';

interface Check {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

export function replicaCommand(io: Io): Command {
  return new Command('replica').description('look at replicas').addCommand(listCommand(io)).addCommand(testCommand(io));
}

function listCommand(io: Io): Command {
  return withServer(
    io,
    serverCommand('list', 'replicas, their state and what they are owed'),
    async (client, { json }) => {
      const { replicas } = await client.status();
      if (json) printJson(io, { replicas });
      else {
        const rows = replicas.map(({ name, state, latencyMs, debt, detail }) => [
          name,
          state,
          latencyMs === null ? '' : `${latencyMs.toFixed(0)} ms`,
          debt.packs === 0 ? 'nothing' : `${plural(debt.packs, 'pack')}, ${formatBytes(debt.bytes)}`,
          detail ?? '',
        ]);
        print(io, formatTable([['REPLICA', 'STATE', 'LATENCY', 'OWED', ''], ...rows]));
      }
      return EXIT.done;
    },
  );
}

function testCommand(io: Io): Command {
  return new Command('test')
    .description('write, read, list and delete a few small objects of its own, and check every answer')
    .argument('<name>', 'its name in the configuration')
    .option('--config <file>', 'configuration; default: ./data')
    .option('--json', 'the result as JSON on standard output')
    .action(async (name: string, options: { config?: string; json?: boolean }) => {
      await finish(io, options.json === true, async () => {
        const config =
          options.config === undefined ? embeddedConfig(io.cwd) : loadConfig(options.config, io.environment);
        const replica = config.cold.replicas.find((one) => one.name === name);
        if (replica === undefined) {
          const names = config.cold.replicas.map((one) => one.name).join(', ');
          throw new ArchiveError('INVALID', `the configuration has no replica of that name; it has: ${names}`);
        }
        const store = openStore(replica, false, { clock: systemClock, random: systemRandom });
        try {
          const checks = await testStore(store);
          const ok = checks.every((one) => one.ok);
          if (options.json === true) printJson(io, { name, ok, checks });
          else print(io, formatTable(checks.map((one) => [one.ok ? 'ok' : 'FAILED', one.check, one.detail])));
          return ok ? EXIT.done : EXIT.failed;
        } finally {
          await store.close();
        }
      });
    });
}

const OBJECT_BYTES = 300_000;

/** Every rule of the ObjectStore contract that the archive leans on, against the store itself. Removes what it wrote. */
async function testStore(store: ObjectStore): Promise<readonly Check[]> {
  const prefix = `probe/${randomBytes(8).toString('hex')}`;
  const keys = ['a', 'b', 'c'].map((name) => parseObjectKey(`${prefix}/${name}`));
  const [first = parseObjectKey(`${prefix}/a`)] = keys;
  const body = randomBytes(OBJECT_BYTES);
  const sha256 = parseSha256(createHash('sha256').update(body).digest('hex'));
  const checks: Check[] = [];
  const check = async (name: string, work: () => Promise<boolean>) => {
    try {
      const ok = await work();
      checks.push({ check: name, ok, detail: ok ? '' : 'the answer is not what was asked for' });
    } catch (error) {
      checks.push({ check: name, ok: false, detail: (error as Error).message });
    }
  };
  await check('write', async () => {
    for (const key of keys) await store.put(key, body, { sha256 });
    return true;
  });
  await check('read after write', async () => body.equals(await store.get(first)));
  await check('length', async () => (await store.head(first)).bytes === body.length);
  await check('range', async () =>
    body.subarray(1000, 70_000).equals(await store.get(first, { start: 1000, end: 70_000 })),
  );
  await check('overwrite with equal bytes', async () => {
    await store.put(first, body, { sha256 });
    return body.equals(await store.get(first));
  });
  await check('list in order', async () => {
    const found: string[] = [];
    for await (const { key } of store.list(`${prefix}/`)) found.push(key);
    return found.join() === keys.join();
  });
  await check('delete', async () => {
    for (const key of keys) await store.delete(key);
    return true;
  });
  await check('absent after delete', async () => {
    try {
      await store.head(first);
      return false;
    } catch (error) {
      if (hasCode(error, 'ABSENT')) return true;
      throw error;
    }
  });
  return checks;
}
