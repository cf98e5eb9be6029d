// Manifest v1 (docs/format.md 5): one sealed object that says what is in a pack and, with the keyring,
// opens it. Damage, a wrong key, a later version and another archive's manifest are told apart.
import type { Random } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import type { PackId } from '../core/ids.js';
import { type EnvelopeClear, type EnvelopeKind, openEnvelope, readEnvelopeClear, sealEnvelope } from './envelope.js';
import type { Keyring } from './keyring.js';
import { decodeBody } from './manifest-decode.js';
import { encodeBody } from './manifest-encode.js';
import { MANIFEST_BYTES_MAX } from './manifest-rules.js';
import type { ManifestBody, PackSeal } from './types.js';

const KIND: EnvelopeKind = {
  what: 'manifest',
  magic: Buffer.from('FRMANIF\0', 'latin1'),
  info: Buffer.from('manifest1', 'latin1'),
  bytesMax: MANIFEST_BYTES_MAX,
};

/** What a manifest says to one who has no key. */
export type ManifestClear = Omit<EnvelopeClear, 'id'> & { readonly pack: PackId };

/**
 * The manifest object of `body`, sealed under the pack's `dek` with a fresh salt. INVALID when the body breaks a rule of
 * the format or its chunks are not those of `seal`; LIMIT when it is too long; NOT_SUPPORTED for an unknown suite.
 */
export function sealManifest(body: ManifestBody, seal: PackSeal, dek: Uint8Array, random: Random): Uint8Array {
  requireSameChunks(body, seal);
  return sealEnvelope(KIND, { id: body.pack, seal, dek, plain: encodeBody(body), random });
}

/**
 * What a manifest says without a key. CORRUPT when it is damaged or no manifest; NOT_SUPPORTED for a later version or suite.
 * It protects nothing from an attacker: only opening authenticates it.
 */
export function readManifestClear(bytes: Uint8Array): ManifestClear {
  const { id, ...clear } = readEnvelopeClear(KIND, bytes);
  return { ...clear, pack: id };
}

/**
 * Opens a manifest and checks everything in it against the rules of the format before any of it is given out. Errors as
 * `readManifestClear`, and WRONG_KEY when the keyring lacks its KEK (named) or does not open it; FOREIGN when it is of
 * another archive than the keyring.
 */
export async function openManifest(
  bytes: Uint8Array,
  keyring: Keyring,
): Promise<{ readonly body: ManifestBody; readonly seal: PackSeal }> {
  const { clear, plain } = await openEnvelope(KIND, bytes, keyring);
  const { id: pack, suite, kekId, wrapSalt, wrappedDek, dekId } = clear;
  const body = decodeBody(plain, pack);
  if (body.archiveId !== keyring.archiveId) {
    throw new ArchiveError(
      'FOREIGN',
      `the manifest of pack ${pack} is of archive ${body.archiveId}, not ${keyring.archiveId}`,
    );
  }
  return { body, seal: { suite, kekId, wrapSalt, wrappedDek, dekId, chunks: body.chunks } };
}

function requireSameChunks(body: ManifestBody, seal: PackSeal): void {
  const same = body.chunks.every((chunk, at) => {
    const sealed = seal.chunks[at];
    return (
      sealed !== undefined &&
      Buffer.compare(chunk.salt, sealed.salt) === 0 &&
      Buffer.compare(chunk.commitment, sealed.commitment) === 0 &&
      (sealed.name === null || sealed.name === chunk.name)
    );
  });
  if (!same || body.chunks.length !== seal.chunks.length) {
    throw new ArchiveError('INVALID', `manifest of pack ${body.pack}: its chunks are not those of the pack's seal`);
  }
}
