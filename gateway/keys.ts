// The keyring with what opens its keys: the file alone, or the file and a token (PKCS#11) that holds the secrets. The file then says
// which keys there are and which is current, and no secret.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Random } from '../tiering/core/clock.js';
import { ArchiveError, hasCode } from '../tiering/core/errors.js';
import { drawArchiveId, type Keyring } from '../tiering/format/keyring.js';
import { mustHold, openTokenKeys, type TokenKeys } from '../tiering/keys/pkcs11/token-keys.js';
import type { Config } from './config.js';
import { createKeyring, keyringExists, readKeyring, replaceKeyring, writeKeyring } from './keyring-file.js';

export interface OpenedKeys {
  readonly keyring: Keyring;
  /** What is wrong with the token; the archive opens all the same, since nothing hot needs a key. */
  readonly warning: string | null;
  /** Keeps a changed keyring: durable when it resolves. */
  save(keyring: Keyring): Promise<void>;
  /** Ends what talks to the token. */
  close(): void;
}

export interface KeysOptions {
  /** A new archive: where there is no keyring one is made. */
  readonly create: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** INVALID when the keyring cannot be read or the token refuses the PIN; UNAVAILABLE when a new archive's key cannot be drawn. */
export async function openKeys({ cold }: Pick<Config, 'cold'>, options: KeysOptions): Promise<OpenedKeys> {
  const path = cold.keyring;
  const make = options.create && !keyringExists(path);
  const save = (keyring: Keyring) => replaceKeyring(path, keyring);
  if (cold.pkcs11 === null) {
    const keyring = make ? await createKeyring(path, options.clock, options.random) : readKeyring(path);
    return { keyring: { ...keyring, suites: cold.suites }, warning: null, save, close: () => undefined };
  }
  const provider = openTokenKeys(cold.pkcs11);
  try {
    const stored = make ? await createOnToken(path, provider, options) : readKeyring(path);
    const warning = await faultOf(provider, stored);
    return { keyring: { ...stored, suites: cold.suites, provider }, warning, save, close: () => provider.close() };
  } catch (error) {
    provider.close();
    throw error;
  }
}

async function createOnToken(path: string, provider: TokenKeys, { clock, random }: KeysOptions): Promise<Keyring> {
  const archiveId = drawArchiveId(random);
  const kek = await provider.draw({ archiveId, clock, random });
  return writeNew(path, [kek], archiveId);
}

/** Writes the keyring of an archive whose keys a token holds, from the token. CONFLICT when the file exists; INVALID when it is not clear which archive is meant. */
export async function recoverKeyring({ cold }: Pick<Config, 'cold'>, archive: string | null): Promise<Keyring> {
  if (cold.pkcs11 === null) throw new ArchiveError('INVALID', 'the configuration names no token (cold.pkcs11)');
  if (keyringExists(cold.keyring)) {
    throw new ArchiveError('CONFLICT', `keyring ${cold.keyring} exists already; it is never overwritten`);
  }
  const provider = openTokenKeys(cold.pkcs11);
  try {
    const keys = await provider.find(archive);
    const archives = [...new Set(keys.map(({ archiveId }) => archiveId))];
    const [archiveId] = archives;
    if (archiveId === undefined) throw new ArchiveError('INVALID', 'the token holds no key of such an archive');
    if (archives.length > 1) {
      throw new ArchiveError(
        'INVALID',
        `the token holds keys of archives ${archives.join(', ')}: name one by --archive`,
      );
    }
    return await writeNew(
      cold.keyring,
      keys.map(({ id, createdAt, secret }) => ({ id, createdAt, secret })),
      archiveId,
    );
  } finally {
    provider.close();
  }
}

/** The newest key is the current one. */
async function writeNew(path: string, keys: Keyring['keys'], archiveId: string): Promise<Keyring> {
  const current = keys.at(-1)?.id ?? '';
  mkdirSync(dirname(path), { recursive: true });
  await writeKeyring(path, { archiveId, current, keys });
  return readKeyring(path);
}

/** Whether the token is there with all keys of the keyring. A wrong PIN is INVALID at once: a token locks itself after a few. */
async function faultOf(provider: TokenKeys, { keys, archiveId }: Keyring): Promise<string | null> {
  try {
    await mustHold(provider, keys, archiveId);
    return null;
  } catch (error) {
    if (hasCode(error, 'UNAVAILABLE') && !error.retryable) throw new ArchiveError('INVALID', error.message);
    if (hasCode(error, 'UNAVAILABLE', 'WRONG_KEY')) return error.message;
    throw error;
  }
}
