// The keyring on disk: read with its mode checked, and written so that only its owner reads it and a crash never loses it.
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Random } from '../tiering/core/clock.js';
import { ArchiveError } from '../tiering/core/errors.js';
import {
  generateKeyring,
  type Keyring,
  parseKeyring,
  type StoredKeyring,
  serializeKeyring,
} from '../tiering/format/keyring.js';
import { syncDirectory } from '../tiering/hot/files.js';

export function keyringExists(path: string): boolean {
  return existsSync(path);
}

/** Why the file's mode is not safe, or null. Windows has no such bits. */
export function keyringModeFault(path: string): string | null {
  const mode = statSync(path).mode & 0o777;
  if (process.platform === 'win32' || (mode & 0o077) === 0) return null;
  return `${path} can be read by others (mode ${mode.toString(8).padStart(4, '0')}); run: chmod 600 ${path}`;
}

/** Reads the keyring. INVALID when it is not there, readable by others, or no keyring. */
export function readKeyring(path: string): Keyring {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new ArchiveError(
      'INVALID',
      `keyring ${path} cannot be read (${code}); without it nothing in the replicas opens`,
      {
        cause: error,
      },
    );
  }
  const fault = keyringModeFault(path);
  if (fault !== null) throw new ArchiveError('INVALID', `keyring ${fault}`);
  return parseKeyring(text);
}

/** Draws a new archive's keyring and writes it, mode 0600, durable before it returns. CONFLICT when the file exists. */
export async function createKeyring(path: string, clock: Clock, random: Random): Promise<Keyring> {
  const keyring = generateKeyring({ random, clock });
  mkdirSync(dirname(path), { recursive: true });
  await writeKeyring(path, keyring);
  return keyring;
}

/** Writes a keyring where there is none yet, mode 0600, durable before it resolves. CONFLICT when the file exists. */
export async function writeKeyring(path: string, keyring: StoredKeyring): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw new ArchiveError('CONFLICT', `keyring ${path} exists already; it is never overwritten`, { cause: error });
  });
  await fill(file, keyring);
  await syncDirectory(dirname(path));
}

/**
 * Puts a changed keyring in the place of the file: at every moment one of the two is there whole. Durable when it resolves; UNAVAILABLE when
 * it cannot be written (a read-only mount), and then the old one is still there.
 */
export async function replaceKeyring(path: string, keyring: StoredKeyring): Promise<void> {
  const next = `${path}.new`;
  try {
    // What a crash left there may have another mode.
    await rm(next, { force: true });
    await fill(await open(next, 'wx', 0o600), keyring);
    await rename(next, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unexpected';
    throw new ArchiveError('UNAVAILABLE', `keyring ${path} cannot be replaced (${code}); its folder must be writable`, {
      cause,
    });
  }
}

async function fill(file: FileHandle, keyring: StoredKeyring): Promise<void> {
  try {
    await file.writeFile(serializeKeyring(keyring));
    await file.sync();
  } finally {
    await file.close();
  }
}
