// filmroom init: a commented configuration and a keyring, for an installation that is to be kept.
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '../../gateway/config-file.js';
import { keyringExists } from '../../gateway/keyring-file.js';
import { openKeys } from '../../gateway/keys.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { CONFIG_TEMPLATE } from '../config-template.js';
import { EXIT } from '../exit.js';
import { finish, type Io, print } from '../io.js';

interface TokenOptions {
  readonly pkcs11Module?: string;
  readonly token?: string;
  readonly pin?: string;
}

export function initCommand(io: Io): Command {
  return new Command('init')
    .description('write a commented configuration, and a keyring beside its data')
    .argument('[file]', 'the configuration to write', 'filmroom.yaml')
    .option('--pkcs11-module <path>', 'keep the key on a token (an HSM): its PKCS#11 library')
    .option('--token <label>', 'the label of the token')
    .option('--pin <pin>', 'file:PATH or ${NAME}, as it is to be in the configuration')
    .action(async (name: string, options: TokenOptions) => {
      await finish(io, false, async () => {
        const file = resolve(io.cwd, name);
        if (existsSync(file)) throw new ArchiveError('INVALID', `${file} exists already; it is never overwritten`);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, withToken(CONFIG_TEMPLATE, options), { flag: 'wx' });
        const { keyring, kept, token } = await makeKeyring(file, io).catch(async (error: unknown) => {
          // To be run again once the token is there.
          await rm(file, { force: true });
          throw error;
        });
        print(io, `wrote ${file}`);
        print(io, kept ? `kept the keyring ${keyring}` : `wrote the keyring ${keyring}`);
        print(
          io,
          token === null
            ? 'Copy the keyring to a safe place that is not this machine: without it nobody opens the replicas.'
            : `The key is on token ${token}: have it backed up, without it nobody opens the replicas.`,
        );
        print(io, `Then: npx filmroom doctor --config ${name} && npx filmroom serve --config ${name}`);
        return EXIT.done;
      });
    });
}

async function makeKeyring(file: string, io: Io) {
  const config = loadConfig(file, io.environment);
  const { keyring, pkcs11 } = config.cold;
  const kept = keyringExists(keyring);
  const keys = await openKeys(config, { create: true, clock: systemClock, random: systemRandom });
  keys.close();
  if (keys.warning !== null) throw new ArchiveError('UNAVAILABLE', keys.warning);
  return { keyring, kept, token: pkcs11?.token ?? null };
}

/** The template with its lines about a token filled in. INVALID when only some of the three are given. */
function withToken(template: string, { pkcs11Module, token, pin }: TokenOptions): string {
  const given = [pkcs11Module, token, pin].filter((one) => one !== undefined);
  if (given.length === 0) return template;
  if (pkcs11Module === undefined || token === undefined || pin === undefined) {
    throw new ArchiveError('INVALID', '--pkcs11-module, --token and --pin go together');
  }
  if (!/^(file:.|\$\{)/.test(pin))
    throw new ArchiveError('INVALID', '--pin must be file:PATH or ${NAME}, never the PIN');
  const line = `  pkcs11: { module: ${quoted(pkcs11Module)}, token: ${quoted(token)}, pin: ${quoted(pin)} }`;
  return template.replace(/^ {2}# pkcs11: .*$/m, () => line);
}

/** JSON's strings are YAML's too. */
const quoted = (text: string) => JSON.stringify(text);
