// The metadata of one instance as a parsed object, from the index alone. A viewer asks for the instances of a series one after
// another and the index keeps a series as one text, so both the texts and the objects are kept for a while.
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { DicomJson } from '../../dicom/json/json-object.js';
import type { ImageArchive, InstanceRecord, MetadataPart } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';

const MiB = 1024 * 1024;
/** Of the texts that the objects were parsed from; parsed they take a few times as much. */
const OBJECTS_TEXT_MAX = 8 * MiB;
/** A series of 1,000 slices is 3 to 5 MiB. */
const BUNDLES_TEXT_MAX = 48 * MiB;
/** Parsing more would hold the event loop up: only objects of tens of thousands of frames come near. */
const OBJECT_TEXT_MAX = 64 * MiB;
/** As the index itself bounds a bundle. */
const BUNDLE_TEXT_MAX = 512 * MiB;

const objects = new LRUCache<string, DicomJson>({ max: 1000, maxSize: OBJECTS_TEXT_MAX });
const bundles = new LRUCache<string, Buffer>({ max: 64, maxSize: BUNDLES_TEXT_MAX });
const inflating = new Map<string, Promise<Buffer>>();
const inflate = promisify(gunzip);

/** The inflated text of a part, in a thread of zlib's own; many who ask for the same one wait for one. */
async function textOf(gzip: Uint8Array): Promise<Buffer> {
  const key = createHash('sha1').update(gzip).digest('base64');
  const known = bundles.get(key);
  if (known !== undefined) return known;
  const begun = inflating.get(key);
  if (begun !== undefined) return begun;
  const text = inflate(gzip, { maxOutputLength: BUNDLE_TEXT_MAX });
  inflating.set(key, text);
  try {
    bundles.set(key, await text, { size: (await text).length + 1 });
    return await text;
  } catch (error) {
    throw new ArchiveError('CORRUPT', 'stored metadata cannot be inflated', { cause: error });
  } finally {
    inflating.delete(key);
  }
}

async function objectText(part: MetadataPart): Promise<Buffer> {
  const text = await textOf(part.gzip);
  const pick = part.picks === null ? { start: 0, end: text.length } : part.picks[0];
  if (pick === undefined || pick.end > text.length) {
    throw new ArchiveError('CORRUPT', 'stored metadata is shorter than its table says');
  }
  if (pick.end - pick.start > OBJECT_TEXT_MAX)
    throw new ArchiveError('LIMIT', 'the metadata of the instance is too long');
  return text.subarray(pick.start, pick.end);
}

/**
 * The whole PS3.18 Annex F object of one live instance; BulkDataURIs keep the root that they are stored with. No pixel object is
 * opened. NOT_FOUND when it was deleted meanwhile, CORRUPT when what is stored is not JSON, LIMIT above 64 MiB.
 */
export async function instanceJson(archive: ImageArchive, record: InstanceRecord): Promise<DicomJson> {
  const key = `${record.sha256}/${record.sop}/${record.seq}`;
  const known = objects.get(key);
  if (known !== undefined) return known;
  const { study, series, sop } = record;
  for await (const part of archive.metadata({ study, series, sop })) {
    const text = await objectText(part);
    let object: DicomJson;
    try {
      object = JSON.parse(text.toString('utf8')) as DicomJson;
    } catch (error) {
      throw new ArchiveError('CORRUPT', 'stored metadata is not JSON', { cause: error });
    }
    objects.set(key, object, { size: text.length + 1 });
    return object;
  }
  throw new ArchiveError('NOT_FOUND', 'the instance was deleted meanwhile');
}
