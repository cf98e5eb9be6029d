// The door of the DICOM floor: the bytes of one Part 10 file in, everything the archive keeps of it out, in one
// pass. The bytes themselves are never changed or written again. docs/dicom-acceptance.md says what is taken and what refused.
import { ArchiveError } from '../../tiering/core/errors.js';
import type { ByteSource } from '../byte-source.js';
import { ByteWindow } from '../byte-window.js';
import { DicomError } from '../dicom-error.js';
import type { LevelAttributes, ParsedInstance } from '../instance.js';
import { type Level, levelObjects } from '../level-attributes.js';
import { TRAILING_ZERO_BYTES_MAX } from '../limits.js';
import { scanDataset } from './dataset-scanner.js';
import { inflateDataset } from './inflate.js';
import { type FileMeta, readFileMeta } from './part10.js';
import { pixelsOf } from './pixel-layout.js';
import { instanceUri, ScanState, URI_PREFIX_MARK } from './scan-state.js';
import { Warnings } from './warnings.js';

/**
 * Parses one instance. From a ByteSource only headers and short values are read (all of it when it is deflated).
 *
 * Throws DicomError for what is wrong with the bytes. What `source.read` throws is passed on when it is an ArchiveError; anything else that
 * is thrown below becomes INTERNAL.
 */
export function parseInstance(source: Uint8Array | ByteSource): ParsedInstance {
  let state: ScanState | undefined;
  try {
    const window = new ByteWindow(source);
    const warnings = new Warnings();
    const meta = readFileMeta(window);
    if (meta.bare) warnings.add('VALUE', 'no preamble and no DICM prefix');
    state = meta.syntax.deflated
      ? inflatedState(window, meta, warnings)
      : new ScanState(window, meta.end, meta.syntax, warnings);
    scanDataset(state);
    return assemble(state, meta);
  } catch (error) {
    if (error instanceof DicomError) {
      error.identity = state?.top.partial() ?? {};
      throw error;
    }
    if (error instanceof ArchiveError) throw error;
    throw new ArchiveError('INTERNAL', 'the DICOM scanner failed in an unforeseen way', { cause: error });
  } finally {
    state?.json.release();
  }
}

function inflatedState(window: ByteWindow, meta: FileMeta, warnings: Warnings): ScanState {
  const { bytes, trailing } = inflateDataset(window, meta.end);
  const from = window.size - trailing;
  if (!isHarmlessTail(window, from, bytes.length)) {
    throw new DicomError('MALFORMED', 'bytes after the deflate stream', { offset: from });
  }
  // PS3.5 A.5: one pad byte makes the length even.
  if (trailing > 1) warnings.add('TRAILING_BYTES', `${trailing} bytes after the deflate stream`, undefined, from);
  return new ScanState(new ByteWindow(bytes), 0, meta.syntax, warnings);
}

/** Zeros, or the eight bytes with which a gzip stream ends (CRC and length), which some writers leave on. */
function isHarmlessTail(window: ByteWindow, from: number, inflatedBytes: number): boolean {
  const length = window.size - from;
  if (length > TRAILING_ZERO_BYTES_MAX) return false;
  const index = window.at(from, length);
  const tail = window.bytes.subarray(index, index + length);
  return tail.every((byte) => byte === 0) || (length === 8 && tail.readUInt32LE(4) === inflatedBytes);
}

function assemble(state: ScanState, meta: FileMeta): ParsedInstance {
  const { top, warnings } = state;
  const identity = top.identity();
  if (meta.sopUid !== null && meta.sopUid !== identity.sopUid) {
    warnings.add('META_MISMATCH', 'the file meta information names another SOP Instance UID', 0x00020003);
  }
  if (meta.sopClassUid !== null && meta.sopClassUid !== identity.sopClassUid) {
    warnings.add('META_MISMATCH', 'the file meta information names another SOP Class UID', 0x00020002);
  }
  const pixels = pixelsOf(state);
  const prefix = instanceUri(identity.studyUid, identity.seriesUid, identity.sopUid);
  const unmark = (text: string): string => (state.marked ? text.replaceAll(URI_PREFIX_MARK, prefix) : text);
  return {
    ...identity,
    transferSyntaxUid: meta.syntax.uid,
    instanceNumber: top.instanceNumber,
    seriesNumber: top.seriesNumber,
    attributes: levelsOf(state, unmark),
    json: unmark(state.json.slice(0, state.json.length)),
    layout: { deflated: meta.syntax.deflated, pixels, bulk: state.bulk },
    warnings: warnings.list,
  };
}

function levelsOf(state: ScanState, unmark: (text: string) => string): LevelAttributes {
  const members: Record<Level, string[]> = { study: [], series: [], instance: [] };
  for (const { level, start, end } of state.levels) members[level].push(state.json.slice(start, end));
  const { study, series, instance } = levelObjects(members);
  return { study: unmark(study), series: unmark(series), instance: unmark(instance) };
}
