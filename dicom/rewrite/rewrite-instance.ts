// One whole stored instance in another transfer syntax, as it is sent (PS3.18 8.7.3.5): the data set in Explicit VR Little Endian, its pixels
// as they are or as the codecs give them, frame by frame. Nothing here does I/O, and memory holds some chunks and one frame.
import { ArchiveError, invariant } from '../../tiering/core/errors.js';
import { ByteWindow } from '../byte-window.js';
import { codecOf } from '../codecs/codec-table.js';
import type { Frame } from '../codecs/frame.js';
import { DicomError } from '../dicom-error.js';
import { fileMeta } from '../encode/file-meta.js';
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '../implementation.js';
import type { ByteRange, InstanceLayout } from '../instance.js';
import { frameCount } from '../layout.js';
import { FILE_META_BYTES_MAX } from '../limits.js';
import { inflatePieces } from '../scan/inflate.js';
import { readFileMeta } from '../scan/part10.js';
import { type TransferSyntax, transferSyntaxOf } from '../transfer-syntax.js';
import { type NewPixels, rewriteDataset } from './dataset-rewriter.js';
import { type Bytes, ForwardReader } from './forward-reader.js';
import { pixelElements } from './pixel-attributes.js';
import { encapsulatedPixelData, type FrameSource, nativePixelData } from './pixel-data.js';

/** The stored bytes of a DICOM file. */
export interface InstanceSource {
  readonly length: number;
  /** The bytes `[start, end)`, in pieces that stay as they are. */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
}

export interface RewriteOptions {
  readonly source: InstanceSource;
  readonly layout: InstanceLayout;
  readonly sopClass: string;
  readonly sop: string;
  /** UIDs of the transfer syntaxes. */
  readonly stored: string;
  readonly target: string;
  /**
   * Frame n (from 1) in `target`; not asked for where the stored samples are sent as they are. Frame 1 is asked for at the beginning, each
   * further one in order when the one before it was sent and is no longer looked at.
   */
  readonly frame: (n: number) => Promise<Frame>;
}

/** Read at first: file meta information is under 1 KiB. */
const HEAD_BYTES = 4096;
const PIXEL_DATA = '7FE00010';
/** Float and Double Float Pixel Data: no compressed transfer syntax takes them. */
const FLOAT_PIXEL_DATA = ['7FE00008', '7FE00009'];
/** Their pixels are elsewhere, under a URL of the one who made them. */
const REFERENCED = new Set([
  '1.2.840.10008.1.2.4.94',
  '1.2.840.10008.1.2.4.95',
  '1.2.840.10008.1.2.4.204',
  '1.2.840.10008.1.2.4.205',
]);

/**
 * The instance as a DICOM file in `target`: Explicit VR Little Endian, or what codecs here encode without loss. It stays the same SOP
 * Instance, since it is the same to every bit that is stored or decodes to it (PS3.3 C.12.4.1.1). Attributes that describe the samples are those of frame 1 as it
 * is sent; group lengths and the stored file meta information and preamble are not kept; every other value is the stored one.
 *
 * Everything that can be refused is refused before the first piece: NOT_SUPPORTED for what `target` cannot hold, LIMIT for native pixels of
 * more than 4 GiB, and what `frame` throws for frame 1. CORRUPT at any time when the stored bytes are not what was stored. What `source.read`
 * and `frame` throw is passed on. Pieces may share memory with what `source.read` and `frame` gave.
 */
export async function* rewriteInstance(options: RewriteOptions): AsyncGenerator<Uint8Array, void, void> {
  const { source, sopClass, sop, target } = options;
  const stored = syntaxOf(options.stored);
  const pixels = await newPixels(options, stored, targetOf(target));
  const file = new ForwardReader(storedBytes(source, stored.deflated ? null : (pixels?.stored ?? null)));
  let reader = file;
  try {
    await file.skip(await dataSetStart(file, stored));
    if (stored.deflated) reader = new ForwardReader({ open: () => inflatePieces(file.rest()), seekable: false });
    yield fileMeta({
      sopClass,
      sop,
      transferSyntax: target,
      implementationClass: IMPLEMENTATION_CLASS_UID,
      implementationVersion: IMPLEMENTATION_VERSION_NAME,
    });
    const { explicit, bigEndian } = stored;
    yield* rewriteDataset(reader, { explicit, bigEndian }, stored.deflated ? Infinity : source.length, pixels);
  } finally {
    await reader.close();
    await file.close();
  }
}

function syntaxOf(uid: string): TransferSyntax {
  const syntax = transferSyntaxOf(uid);
  if (syntax === undefined) throw new ArchiveError('NOT_SUPPORTED', `the transfer syntax ${uid} is not known here`);
  return syntax;
}

/** What is made here keeps every bit: a lossy copy would have to be another instance (PS3.3 C.12.4.1.1, C.7.6.1.1.5). */
function targetOf(uid: string): TransferSyntax {
  const target = syntaxOf(uid);
  const codec = codecOf(uid);
  if (codec === undefined || !codec.encodes || !codec.lossless) {
    throw new ArchiveError('NOT_SUPPORTED', `whole instances are not written in ${target.uid} (${target.name})`);
  }
  return target;
}

/** What replaces the stored Pixel Data; null when its bytes are sent as they are, or there is none. */
async function newPixels(
  { source, layout, frame }: RewriteOptions,
  stored: TransferSyntax,
  target: TransferSyntax,
): Promise<NewPixels | null> {
  if (REFERENCED.has(stored.uid)) {
    throw new ArchiveError('NOT_SUPPORTED', `an instance in ${stored.uid} (${stored.name}) has no pixels of its own`);
  }
  if (!stored.encapsulated && !target.encapsulated) return null;
  if (stored.encapsulated) await refuseNestedFragments(source, layout);
  if (layout.bulk.some(({ path }) => FLOAT_PIXEL_DATA.includes(path))) {
    throw new ArchiveError('NOT_SUPPORTED', `float pixel data cannot be written in ${target.uid} (${target.name})`);
  }
  const value = layout.bulk.find(({ path }) => path === PIXEL_DATA);
  if (value === undefined) return null;
  const count = frameCount(layout);
  if (count === 0) {
    throw new ArchiveError(
      'NOT_SUPPORTED',
      'the frames of the instance cannot be told apart: ask for it as it is stored',
    );
  }
  const first = await frame(1);
  invariant(first.syntax === target.uid, 'a frame is in another transfer syntax than was asked for');
  const frames: FrameSource = { first, count, frame };
  const pieces = target.encapsulated ? encapsulatedPixelData(frames) : nativePixelData(frames);
  return { elements: pixelElements(first.pixels), stored: value, write: () => pieces };
}

/**
 * An icon may be in fragments where the image is (PS3.5 A.4), and has to be in the transfer syntax of the image then. Its value
 * field follows an undefined length.
 */
async function refuseNestedFragments(source: InstanceSource, layout: InstanceLayout): Promise<void> {
  for (const { path, start } of layout.bulk) {
    if (!path.endsWith(`/${PIXEL_DATA}`)) continue;
    const length: Uint8Array[] = [];
    for await (const piece of source.read(start - 4, start)) length.push(piece);
    if (!Buffer.concat(length).every((byte) => byte === 0xff)) continue;
    throw new ArchiveError(
      'NOT_SUPPORTED',
      'the instance has a compressed image inside of a sequence, which is not transcoded: ask for it as it is stored',
    );
  }
}

/** What is stored up to `hole`, and behind it once it was skipped. */
function storedBytes(source: InstanceSource, hole: ByteRange | null): Bytes {
  const end = (start: number): number => (hole !== null && start < hole.start ? hole.start : source.length);
  return { open: (start) => source.read(start, end(start)), seekable: true };
}

/** Where the data set begins; everything before it is at hand then. */
async function dataSetStart(file: ForwardReader, stored: TransferSyntax): Promise<number> {
  for (let wanted = HEAD_BYTES; ; wanted *= 4) {
    const there = await file.fill(wanted);
    const all = there < wanted || wanted > FILE_META_BYTES_MAX;
    const at = file.at(0, there);
    try {
      const meta = readFileMeta(new ByteWindow(file.bytes.subarray(at, at + there)));
      if (meta.end === there && !all) continue;
      if (meta.syntax.uid === stored.uid) return meta.end;
    } catch (error) {
      if (!all && error instanceof DicomError && error.fault === 'TRUNCATED') continue;
      throw new ArchiveError('CORRUPT', 'the file meta information of a stored instance cannot be read', {
        cause: error,
      });
    }
    throw new ArchiveError('CORRUPT', 'a stored instance is in another transfer syntax than the index says');
  }
}
