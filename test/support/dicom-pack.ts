// Finds the shared DICOM test pack and types its manifest. Promises: read-only, and a null (so that a suite
// can skip itself by name) where the pack is not on this machine; never a half-loaded manifest.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Truth for frame 1 as an independent decoder gave it: native little-endian bytes. */
export interface PackFrame {
  readonly sha256: string;
  readonly bytes: number;
  readonly photometric: string;
  readonly planar: number | null;
  readonly bitsAllocated: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Values at index i*(n-1)/15. */
  readonly samples16: readonly number[];
  readonly decoder: string;
  readonly bit_exact_expected: boolean;
}

/** One file of the pack, as manifest.json describes it. Attributes are null where absent or unreadable. */
export interface PackFile {
  /** Path below the pack, with forward slashes. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly SOPClassUID: string | null;
  readonly TransferSyntaxUID: string | null;
  readonly StudyInstanceUID: string | null;
  readonly SeriesInstanceUID: string | null;
  readonly SOPInstanceUID: string | null;
  readonly Modality: string | null;
  readonly Rows: number | null;
  readonly Columns: number | null;
  readonly BitsAllocated: number | null;
  readonly BitsStored: number | null;
  readonly PixelRepresentation: number | null;
  readonly SamplesPerPixel: number | null;
  readonly PhotometricInterpretation: string | null;
  readonly PlanarConfiguration: number | null;
  readonly NumberOfFrames: number | null;
  readonly SpecificCharacterSet: string | readonly string[] | null;
  /** In Unicode, component groups joined with `=`. */
  readonly PatientName: string | null;
  readonly what_it_tests: string | null;
  readonly expected: 'store' | 'reject';
  /** Another answer that is defensible when it is documented and consistent. */
  readonly also_acceptable?: string;
  readonly why_bad?: string;
  readonly good_answer?: string;
  readonly first_frame?: PackFrame;
  /** Concatenated fragments of frame 1 as stored, including any pad byte. */
  readonly first_frame_encoded?: { readonly sha256: string; readonly bytes: number; readonly note: string };
  readonly first_frame_other_decoders?: readonly Partial<PackFrame>[];
  readonly same_SOPInstanceUID_as?: readonly string[];
  readonly meta_MediaStorageSOPInstanceUID?: string;
  readonly pixel_note?: string;
  readonly invalid_uids?: readonly string[];
}

export interface DicomPack {
  readonly folder: string;
  readonly files: readonly PackFile[];
  /** The bytes of one file; the path is the manifest's. */
  read(file: PackFile | string): Buffer;
  /** One manifest entry by its path; throws when there is none, so that a renamed file fails a test loudly. */
  entry(file: string): PackFile;
}

/** The repository's root, from the compiled place of this file (dist/test/support). */
export const REPOSITORY_ROOT = resolve(fileURLToPath(new URL('../../..', import.meta.url)));

/** The pack of FILMROOM_DICOM_PACK, else ../shared/dicom beside the repository; null when it is not there. */
export function findDicomPack(): DicomPack | null {
  const folder = process.env['FILMROOM_DICOM_PACK'] ?? join(REPOSITORY_ROOT, '..', 'shared', 'dicom');
  const manifest = join(folder, 'manifest.json');
  if (!existsSync(manifest)) return null;
  const files = JSON.parse(readFileSync(manifest, 'utf8')) as readonly PackFile[];
  const byPath = new Map(files.map((file) => [file.file, file]));
  return {
    folder,
    files,
    read: (file) => readFileSync(join(folder, typeof file === 'string' ? file : file.file)),
    entry(file) {
      const found = byPath.get(file);
      if (found === undefined) throw new Error(`the DICOM pack has no ${file}`);
      return found;
    },
  };
}
