// The bulk values of one instance and how each is given: pixel data frame by frame under the rules of frames, anything else as its
// bytes, documents under the media type that they say they are.
import { describePixels } from '../../dicom/codecs/describe.js';
import type { ByteRange } from '../../dicom/instance.js';
import { numberOf, textOf } from '../../dicom/json/json-object.js';
import { frameCount } from '../../dicom/layout.js';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Segment } from '../answer/segments.js';
import type { Exchange } from '../exchange.js';
import { instanceJson } from '../instances/instance-json.js';
import { partSegment } from '../instances/instance-parts.js';
import type { OpenInstance } from '../instances/open-instance.js';
import { framesGiven } from '../instances/transcoding.js';
import { covers, type MediaRange, wantedItem } from '../negotiation/accept.js';
import { type Label, OCTETS, storedLabel } from '../negotiation/media-types.js';
import { negotiatePixels, storedSyntax } from '../negotiation/negotiation.js';
import { HttpProblem } from '../problem.js';
import { frameContents } from './frames.js';

/** Pixel Data, Float Pixel Data and Double Float Pixel Data of the top level (PS3.18 10.4.3.3.6). */
export const PIXEL_PATHS: ReadonlySet<string> = new Set(['7FE00008', '7FE00009', '7FE00010']);
const ENCAPSULATED_DOCUMENT = '00420011';
const MIME_TYPE_OF_DOCUMENT = '00420012';
const DOCUMENT_LENGTH = '00420015';
const MEDIA_TYPE = /^[a-z]{1,32}\/[a-z0-9.+-]{1,64}$/;
/** Values of one byte each: the same in either byte order. */
const BYTE_VRS: ReadonlySet<string> = new Set(['OB', 'UN', 'UC', 'UT', 'UR', 'LT', 'ST', 'DS', 'IS']);

/** A value as it is sent. */
export interface GivenValue {
  readonly wrap: 'multipart' | 'single';
  readonly mediaType: string;
  /** With the transfer syntax where there is one. */
  readonly contentType: string;
  /** One part each. */
  readonly parts: readonly (readonly Segment[])[];
  readonly made: boolean;
}

function notThere(): ArchiveError {
  return new ArchiveError('NOT_FOUND', 'the instance has no bulk data of that path');
}

/** 1-bit frames fill their bytes only alone: joined they would have gaps. */
async function joinable(exchange: Exchange, instance: OpenInstance): Promise<boolean> {
  const { rows, columns, bitsAllocated } = describePixels(
    await instanceJson(exchange.services.archive, instance.record),
  );
  return bitsAllocated !== 1 || (rows * columns) % 8 === 0 || frameCount(instance.layout) === 1;
}

/** Compressed frames are a part each (8.7.3.3.2), uncompressed ones are one value. */
async function givePixels(
  exchange: Exchange,
  instance: OpenInstance,
  accept: readonly MediaRange[],
  value: ByteRange,
): Promise<GivenValue> {
  const { services } = exchange;
  const stored = storedSyntax(instance.record.transferSyntax);
  const count = frameCount(instance.layout);
  const apart = (syntax: string): boolean => transferSyntaxOf(syntax)?.encapsulated === true;
  const partsOf = ({ syntax }: Label): number => (apart(syntax) ? count : 1);
  const packaging = { count: partsOf, either: 'single' } as const;
  const choice = negotiatePixels(accept, stored, packaging, framesGiven(services, stored));
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const asStored = choice.syntax === storedLabel(stored).syntax;
  let parts: readonly (readonly Segment[])[];
  if (asStored && !stored.encapsulated) {
    parts = [[partSegment(services.archive, instance, value.start, value.end)]];
  } else {
    parts = await frameContents(exchange, instance, numbers, choice.syntax);
    if (!apart(choice.syntax)) {
      if (!(await joinable(exchange, instance)))
        throw new HttpProblem(406, 'the frames do not end at a byte: ask for them one by one, or as they are stored');
      parts = [parts.flat()];
    }
  }
  return {
    wrap: choice.wrap,
    mediaType: choice.type,
    contentType: `${choice.type};transfer-syntax=${choice.syntax}`,
    parts,
    made: !asStored,
  };
}

/** What an encapsulated document says that it is, and its length without the pad byte. */
async function documentOf(
  exchange: Exchange,
  instance: OpenInstance,
  range: ByteRange,
): Promise<{ readonly type: string; readonly range: ByteRange }> {
  const json = await instanceJson(exchange.services.archive, instance.record);
  const said = textOf(json, MIME_TYPE_OF_DOCUMENT)?.toLowerCase() ?? '';
  const length = numberOf(json, DOCUMENT_LENGTH);
  const padded = range.end - range.start;
  return {
    type: MEDIA_TYPE.test(said) ? said : OCTETS,
    range: length === padded - 1 ? { start: range.start, end: range.end - 1 } : range,
  };
}

function giveBytes(
  exchange: Exchange,
  instance: OpenInstance,
  accept: readonly MediaRange[],
  type: string,
  range: ByteRange,
): GivenValue {
  for (const each of accept) {
    const wanted = wantedItem(each);
    const mediaType = [type, OCTETS].find((one) => covers(wanted.type, one));
    if (mediaType === undefined) continue;
    return {
      wrap: wanted.wrap === 'multipart' ? 'multipart' : 'single',
      mediaType,
      contentType: mediaType,
      parts: [[partSegment(exchange.services.archive, instance, range.start, range.end)]],
      made: false,
    };
  }
  throw new HttpProblem(406, `the value can be had as ${type === OCTETS ? OCTETS : `${type} or ${OCTETS}`}`, {
    available: [...new Set([type, OCTETS])].flatMap((each) => [each, `multipart/related; type="${each}"`]),
  });
}

/**
 * The value at `path` for a client that accepts `accept`. NOT_FOUND when the instance has none there; 406 when it cannot be given as
 * asked, with a list of how it can.
 */
export async function giveValue(
  exchange: Exchange,
  instance: OpenInstance,
  path: string,
  accept: readonly MediaRange[],
): Promise<GivenValue> {
  const { layout, record } = instance;
  const stored = storedSyntax(record.transferSyntax);
  const value = layout.bulk.find((each) => each.path === path);
  const range = value ?? (path === '7FE00010' && layout.pixels?.kind === 'native' ? layout.pixels : undefined);
  if (range === undefined) throw notThere();
  if (PIXEL_PATHS.has(path)) {
    if (frameCount(layout) > 0) return givePixels(exchange, instance, accept, range);
    if (stored.encapsulated)
      throw new ArchiveError('NOT_FOUND', 'the fragments cannot be told apart into frames: retrieve the instance');
  }
  if (stored.bigEndian && !BYTE_VRS.has(value?.vr ?? 'OW')) {
    throw new HttpProblem(
      406,
      'the value is stored in big endian words, which bulk data never is: retrieve the instance',
    );
  }
  if (path !== ENCAPSULATED_DOCUMENT) return giveBytes(exchange, instance, accept, OCTETS, range);
  const document = await documentOf(exchange, instance, range);
  return giveBytes(exchange, instance, accept, document.type, document.range);
}
