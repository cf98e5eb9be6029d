// Parsing in a worker: of one instance in memory, hashed on the way, or of one that lies in a file.
import { hash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ByteSource } from '../../dicom/byte-source.js';
import { DicomError } from '../../dicom/dicom-error.js';
import { keptSource, NotKept } from '../../dicom/kept-bytes.js';
import { encodeLayout } from '../../dicom/layout.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { parseSha256 } from '../../tiering/core/ids.js';
import { withFileSource } from './file-source.js';
import { alone, failureOf } from './handover.js';
import type { IngestResult, IngestTask, Parsed, ScanFileTask, ScanKeptResult, ScanKeptTask } from './types.js';

/** Level 1: 28 us an instance, within a tenth of the size of the best, and clients take it as it is. */
const METADATA_GZIP_LEVEL = 1;

/** Hashes and parses; what is wrong with the DICOM bytes is in `parsed`, not thrown. */
export function ingestTask(task: IngestTask): IngestResult {
  return { bytes: task.bytes, sha256: parseSha256(hash('sha256', task.bytes)), parsed: parse(task.bytes) };
}

/** Parses from the file. Throws ABSENT, CORRUPT or UNAVAILABLE for the file; what is wrong with the DICOM bytes is in the result. */
export function scanFileTask(task: ScanFileTask): Parsed {
  return withFileSource(task, parse);
}

/** Parses what was kept, or says what else it needs. */
export function scanKeptTask(task: ScanKeptTask): ScanKeptResult {
  try {
    return { parsed: parse(keptSource(task)) };
  } catch (error) {
    if (error instanceof NotKept) return { missing: error.range };
    throw error;
  }
}

function parse(source: Uint8Array | ByteSource): Parsed {
  try {
    const { json, layout, ...instance } = parseInstance(source);
    const metadata = alone(gzipSync(json, { level: METADATA_GZIP_LEVEL }));
    return { ok: true, instance, metadata, layout: encodeLayout(layout) };
  } catch (error) {
    if (error instanceof DicomError) return { ok: false, failure: failureOf(error) };
    // The source's own failure, or a defect of the scanner: neither is a verdict on the bytes.
    if (error instanceof ArchiveError) throw error;
    throw new ArchiveError('INTERNAL', `the DICOM scanner failed: ${error instanceof Error ? error.name : 'unknown'}`, {
      cause: error,
    });
  }
}
