// The instances of all histories: a few small studies, and of some instances another one under the same SOP Instance UID, which nobody may take
// for the first. Made once.
import { RLE } from '../../../dicom/phantom/part10-writer.js';
import { type PhantomInstance, phantomStudies } from '../../../dicom/phantom/phantom.js';

export interface Sample extends PhantomInstance {
  /** 0 the one, 1 the other. */
  readonly version: 0 | 1;
}

const PHANTOMS = [...phantomStudies({ seed: 5, studies: 9, slices: 4, shrink: 64 })];

/** Studies that histories are about, each with its instances. */
export const STUDIES: readonly (readonly Sample[])[] = [...new Set(PHANTOMS.map(({ study }) => study))]
  .map((study) => PHANTOMS.filter((one) => one.study === study).slice(-5))
  // One of a single instance, and some of more.
  .filter((study, at) => study.length > 1 || at === 1)
  .map((study) => study.map((one) => ({ ...one, version: 0 })));

/** The same identity, other bytes: the last byte of the pixels is another. Undefined for what does not end with pixels. */
export function otherOf(sample: Sample): Sample | undefined {
  if (sample.modality === 'SR' || sample.transferSyntax === RLE) return undefined;
  const known = others.get(sample.sop);
  if (known !== undefined) return known;
  const bytes = Uint8Array.from(sample.bytes);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  const other: Sample = { ...sample, bytes, version: 1 };
  others.set(sample.sop, other);
  return other;
}

const others = new Map<string, Sample>();
