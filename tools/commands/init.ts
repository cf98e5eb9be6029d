// filmroom init: a commented configuration and a keyring, for an installation that is to be kept.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '../../gateway/config-file.js';
import { createKeyring, keyringExists } from '../../gateway/keyring-file.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { CONFIG_TEMPLATE } from '../config-template.js';
import { EXIT } from '../exit.js';
import { finish, type Io, print } from '../io.js';

export function initCommand(io: Io): Command {
  return new Command('init')
    .description('write a commented configuration, and a keyring beside its data')
    .argument('[file]', 'the configuration to write', 'filmroom.yaml')
    .action(async (name: string) => {
      await finish(io, false, async () => {
        const file = resolve(io.cwd, name);
        if (existsSync(file)) throw new ArchiveError('INVALID', `${file} exists already; it is never overwritten`);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, CONFIG_TEMPLATE, { flag: 'wx' });
        const { keyring } = loadConfig(file, io.environment).cold;
        const kept = keyringExists(keyring);
        if (!kept) await createKeyring(keyring, systemClock, systemRandom);
        print(io, `wrote ${file}`);
        print(io, kept ? `kept the keyring ${keyring}` : `wrote the keyring ${keyring}`);
        print(io, 'Copy the keyring to a safe place that is not this machine: without it nobody opens the replicas.');
        print(io, `Then: npx filmroom doctor --config ${name} && npx filmroom serve --config ${name}`);
        return EXIT.done;
      });
    });
}
