// filmroom config check: says whether a configuration can be used, and what it amounts to.
import { Command } from 'commander';
import type { Config } from '../../gateway/config.js';
import { loadConfig } from '../../gateway/config-file.js';
import { EXIT } from '../exit.js';
import { finish, type Io, print, printJson } from '../io.js';

export function configCommand(io: Io): Command {
  const check = new Command('check')
    .description('check a configuration; the first thing wrong is one line and exit code 2')
    .argument('<file>', 'the configuration')
    .option('--json', 'the result as JSON on standard output')
    .action(async (file: string, { json }: { json?: boolean }) => {
      await finish(io, json === true, async () => {
        const config = loadConfig(file, io.environment);
        if (json === true) printJson(io, { file: config.file, ...summaryOf(config) });
        else print(io, describe(config));
        return EXIT.done;
      });
    });
  return new Command('config').description('work with configurations').addCommand(check);
}

/** Never a secret. */
function summaryOf(config: Config) {
  const { http, auth, index, hot, cold, tiering, audit, ignored } = config;
  return {
    http: { host: http.host, port: http.port },
    auth: auth.mode,
    index: index.path,
    volumes: hot.volumes,
    keyring: cold.keyring,
    token: cold.pkcs11 === null ? null : { module: cold.pkcs11.module, token: cold.pkcs11.token },
    writeQuorum: cold.writeQuorum,
    replicas: cold.replicas.map(({ name, url }) => ({ name, url })),
    protect: tiering.protect,
    recall: tiering.recall,
    audit: audit?.path ?? null,
    ignored,
  };
}

function describe(config: Config): string {
  const { http, volumes, index, replicas, token, writeQuorum, audit, ignored } = summaryOf(config);
  return [
    `${config.file}: good`,
    `  serves on ${http.host}:${http.port}, authentication: ${config.auth.mode}`,
    `  index ${index}`,
    ...volumes.map(({ name, path }) => `  volume ${name}: ${path}`),
    ...replicas.map(({ name, url }) => `  replica ${name}: ${url}`),
    ...(token === null ? [] : [`  keys on token ${token.token}, by ${token.module}`]),
    `  a pack is protected once ${writeQuorum} of ${replicas.length} replicas have it`,
    `  audit log: ${audit ?? 'off'}`,
    ...ignored.map((key) => `  not acted on by this version: ${key}`),
  ].join('\n');
}
