// What is true of every manifest body. Checked when one is made and again when one is read, so that
// neither a bug of the writer nor of an older one gets past a replica.
import { ArchiveError, type ErrorCode } from '../core/errors.js';
import { isUid } from '../core/ids.js';
import { PACK_MEMBERS_MAX } from '../core/limits.js';
import { CHUNK_SALT_BYTES, COMMITMENT_BYTES, chunkSizes } from './chunk.js';
import { isInteger, UUID } from './fields.js';
import { parseChunkName } from './names.js';
import type { ManifestBody, PackMember } from './types.js';

/** A tray of 256 MiB holds no more than this many instances, header and all. */
export const TRAY_MEMBERS_MAX = 200_000;
/** A pack of 1 TiB, the longest instance, has 131,072 chunks: 17 MiB. Read whole, so it is bounded. */
export const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;
/** The inflated table: against a gzip bomb, and what reading one manifest may cost in memory. */
export const TABLE_BYTES_MAX = 64 * 1024 * 1024;
export const SUPERSEDES_MAX = 10_000;
const GENERATION_MAX = 1e15 - 1;
/** SOP class and transfer syntax: as the file says, since what was acknowledged must be protected. */
const STATED_UID = /^[\x20-\x7e]{0,64}$/;

/** Throws `code` (LIMIT for too many members when one is made) with what is wrong and where; never a UID. */
export function checkBody(body: ManifestBody, code: ErrorCode): void {
  const fail = (what: string): never => {
    throw new ArchiveError(code, `manifest of pack ${body.pack}: ${what}`);
  };
  if (!UUID.test(body.archiveId)) fail('its archive id is no UUID');
  if (body.kind !== 'pack' && body.kind !== 'tray') fail('it is neither of a pack nor of a tray');
  if (!isInteger(body.generation, 1) || body.generation > GENERATION_MAX) fail('its generation is no number from 1');
  if (!isInteger(body.createdMs, 0)) fail('its time is no number');
  if (!isInteger(body.bytes, 1)) fail('its pack has no bytes');
  const membersMax = body.kind === 'pack' ? PACK_MEMBERS_MAX : TRAY_MEMBERS_MAX;
  if (body.members.length > membersMax) {
    const message = `manifest of pack ${body.pack}: ${body.members.length} members, more than ${membersMax}`;
    throw new ArchiveError(code === 'CORRUPT' ? 'CORRUPT' : 'LIMIT', message);
  }
  if (body.supersedes.length > SUPERSEDES_MAX) fail(`it supersedes more than ${SUPERSEDES_MAX} packs`);
  if (new Set([body.pack, ...body.supersedes]).size !== body.supersedes.length + 1)
    fail('it supersedes a pack twice, or itself');
  checkMembers(body, fail);
  checkChunks(body, fail);
}

function checkMembers(body: ManifestBody, fail: (what: string) => never): void {
  const bundled = new Set(body.bundles.map(({ series }) => series));
  if (bundled.size !== body.bundles.length) fail('two bundles are of one series');
  const sops = new Set<string>();
  let free = 0;
  body.members.forEach((member, at) => {
    if (!isMember(member)) fail(`member ${at} has a field that is not of its form`);
    if (member.start < free || member.end <= member.start || member.end > body.bytes) {
      fail(`member ${at} is [${member.start}, ${member.end}), which overlaps or leaves the pack`);
    }
    if (member.metaEnd > member.metaStart && !bundled.has(member.series)) fail(`member ${at} is in no bundle`);
    free = member.end;
    sops.add(member.sop);
  });
  if (sops.size !== body.members.length) fail('two members are one instance');
}

function isMember(member: PackMember): boolean {
  const { instanceNumber, seriesNumber } = member;
  return (
    isUid(member.study) &&
    isUid(member.series) &&
    isUid(member.sop) &&
    STATED_UID.test(member.sopClass) &&
    STATED_UID.test(member.transferSyntax) &&
    (instanceNumber === null || Number.isSafeInteger(instanceNumber)) &&
    (seriesNumber === null || Number.isSafeInteger(seriesNumber)) &&
    isInteger(member.seq, 1) &&
    isInteger(member.arrivedMs, 0) &&
    isInteger(member.start, 0) &&
    isInteger(member.end, 0) &&
    isInteger(member.metaStart, 0) &&
    isInteger(member.metaEnd, member.metaStart)
  );
}

function checkChunks(body: ManifestBody, fail: (what: string) => never): void {
  const sizes = chunkSizes(body.bytes);
  if (body.chunks.length !== sizes.length) fail(`${body.chunks.length} chunks instead of ${sizes.length}`);
  const salts = new Set<string>();
  body.chunks.forEach((chunk, at) => {
    if (chunk.bytes !== sizes[at]) fail(`chunk ${at} has ${chunk.bytes} bytes instead of ${sizes[at]}`);
    if (chunk.salt.length !== CHUNK_SALT_BYTES || chunk.commitment.length !== COMMITMENT_BYTES) {
      fail(`chunk ${at} has a salt or commitment of another length`);
    }
    if (parseChunkName(chunk.name) === undefined) fail(`chunk ${at} has a name that is none`);
    salts.add(Buffer.from(chunk.salt).toString('latin1'));
  });
  if (salts.size !== body.chunks.length) fail('two chunks have one salt');
}
