// The body of a manifest as bytes (docs/format.md 5.1): a gzipped table of columns, then what does not
// compress. Equal bodies give equal bytes.
import { gzipSync } from 'node:zlib';
import { ArchiveError } from '../core/errors.js';
import { checkBody, MANIFEST_BYTES_MAX, TABLE_BYTES_MAX } from './manifest-rules.js';
import { parseChunkName } from './names.js';
import type { ManifestBody } from './types.js';

/** Version of the body's encoding. */
export const BODY_VERSION = 1;
/** Level 1: most of the saving for a fraction of the time of the default. */
const GZIP_LEVEL = 1;

/** Distinct texts in order of first use. */
class Dictionary {
  readonly #numbers = new Map<string, number>();

  number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  texts(): readonly string[] {
    return [...this.#numbers.keys()];
  }
}

/** The plaintext of a manifest's body. Throws INVALID (LIMIT for sizes) when it breaks a rule of the format. */
export function encodeBody(body: ManifestBody): Buffer {
  checkBody(body, 'INVALID');
  const json = Buffer.from(JSON.stringify(tableOf(body)));
  const table = gzipSync(json, { level: GZIP_LEVEL });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(table.length);
  const digests = body.members.map(({ sha256 }) => Buffer.from(sha256, 'hex'));
  const chunks = body.chunks.flatMap(({ name, salt, commitment }) => [
    Buffer.from(parseChunkName(name) ?? '', 'hex'),
    salt,
    commitment,
  ]);
  const bytes = Buffer.concat([length, table, ...digests, ...chunks, ...body.bundles.map(({ gzip }) => gzip)]);
  if (json.length > TABLE_BYTES_MAX || bytes.length > MANIFEST_BYTES_MAX) {
    throw new ArchiveError(
      'LIMIT',
      `manifest of pack ${body.pack}: ${bytes.length} bytes (table ${json.length}) is too long`,
    );
  }
  return bytes;
}

function tableOf(body: ManifestBody): Readonly<Record<string, unknown>> {
  const [series, classes, syntaxes, layouts] = [new Dictionary(), new Dictionary(), new Dictionary(), new Dictionary()];
  const { members } = body;
  const columns = {
    series: members.map((member) => series.number(`${member.study}/${member.series}`)),
    class: members.map((member) => classes.number(member.sopClass)),
    syntax: members.map((member) => syntaxes.number(member.transferSyntax)),
    layout: members.map((member) => layouts.number(member.layout)),
    sop: members.map((member) => member.sop),
    instanceNumber: members.map((member) => member.instanceNumber),
    seriesNumber: members.map((member) => member.seriesNumber),
    seq: members.map((member) => member.seq),
    arrived: members.map((member) => member.arrivedMs),
    start: members.map((member) => member.start),
    length: members.map((member) => member.end - member.start),
    metaStart: members.map((member) => member.metaStart),
    metaLength: members.map((member) => member.metaEnd - member.metaStart),
  };
  return {
    version: BODY_VERSION,
    archive: body.archiveId,
    pack: body.pack,
    kind: body.kind,
    generation: body.generation,
    created: body.createdMs,
    bytes: body.bytes,
    supersedes: body.supersedes,
    series: series.texts().map((pair) => pair.split('/')),
    classes: classes.texts(),
    syntaxes: syntaxes.texts(),
    layouts: layouts.texts(),
    members: columns,
    bundles: body.bundles.map((bundle) => [bundle.series, bundle.gzip.length]),
  };
}
