// More ways to ask a PS3.18 Annex F object, beside dicom/json/json-object.ts: lists, items of sequences, names and bulk values. What is not there
// or not of the kind asked for is empty or null, never a fault.
import type { DicomJson } from '../json/json-object.js';

export function valuesOf(item: DicomJson | undefined, tag: string): readonly unknown[] {
  const value: unknown = item?.[tag]?.Value;
  return Array.isArray(value) ? value : [];
}

/** The finite numbers of an element, IS and DS given as text included. */
export function numbersOf(item: DicomJson | undefined, tag: string): readonly number[] {
  return valuesOf(item, tag)
    .map((value) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value))
    .filter((value): value is number => typeof value === 'number' && Number.isFinite(value));
}

export function itemsOf(item: DicomJson | undefined, tag: string): readonly DicomJson[] {
  return valuesOf(item, tag).filter((value): value is DicomJson => typeof value === 'object' && value !== null);
}

/** A value as people read it; of a person's name its alphabetic and ideographic groups: `Wang XiaoDong 王小东`. */
export function readable(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim();
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null) return null;
  const { Alphabetic, Ideographic } = value as { Alphabetic?: unknown; Ideographic?: unknown };
  const groups = [Alphabetic, Ideographic]
    .filter((group): group is string => typeof group === 'string')
    .map((group) => group.split('^').filter(Boolean).join(' '))
    .filter((group) => group !== '');
  return groups.length === 0 ? null : groups.join(' ');
}

export function readableOf(item: DicomJson | undefined, tag: string): string | null {
  return readable(valuesOf(item, tag)[0]);
}

/** Gives the bytes of a bulk value by its path, `00283010/0/00283006`: little endian words, whatever the instance is stored in. */
export type FetchBulk = (path: string) => Promise<Uint8Array>;

/** The bytes of a binary value, from the JSON itself or fetched; null when it has none. */
export async function binaryOf(item: DicomJson, tag: string, fetch: FetchBulk): Promise<Uint8Array | null> {
  const { InlineBinary, BulkDataURI } = item[tag] ?? {};
  if (typeof InlineBinary === 'string') return Uint8Array.from(Buffer.from(InlineBinary, 'base64'));
  if (typeof BulkDataURI !== 'string') return null;
  const at = BulkDataURI.lastIndexOf('/bulkdata/');
  return at < 0 ? null : await fetch(BulkDataURI.slice(at + '/bulkdata/'.length));
}
