// What the DICOMweb suites share: small instances, noise for pixels, paths and answers.
import { createHash } from 'node:crypto';
import type { Reply } from './dicomweb-rig.js';
import { buildPart10, type Element, nativeImage, type Part10Options } from './part10-builder.js';

export const STUDY = '1.2.3';
export const SERIES = '1.2.3.1';
export const JPEG_LS = '1.2.840.10008.1.2.4.80';
export const AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*';
export const FRAME_AS_STORED = 'multipart/related; type=application/octet-stream; transfer-syntax=*';

export const instancePath = (sop: string, series = SERIES, study = STUDY) =>
  `/dicomweb/studies/${study}/series/${series}/instances/${sop}`;

export function ct(number: number, options: Partial<Part10Options> = {}): Buffer {
  return buildPart10({
    study: STUDY,
    series: SERIES,
    sop: `1.2.3.1.${number}`,
    ...options,
    elements: [['00200013', 'IS', String(number)], ...(options.elements ?? [])],
  });
}

/** Bytes that differ everywhere. */
export function noise(length: number, seed: number): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at * 32 < length; at++) blocks.push(createHash('sha256').update(`${seed}/${at}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** Elements of an image of one fragment a frame. */
export function image(fragments: readonly Buffer[]): readonly Element[] {
  const geometry = { rows: 10, columns: 10, bits: 8, frames: fragments.length, pixels: Buffer.alloc(0) };
  return [...nativeImage(geometry).slice(0, -1), ['7FE00010', 'OB', fragments]];
}

/** Turns the little endian data set that the builder wrote into a big endian one; the file meta stays as it is. */
export function swapped(part10: Buffer): Buffer {
  const out = Buffer.from(part10);
  let at = 144 + part10.readUInt32LE(140);
  while (at < out.length) {
    const vr = out.toString('latin1', at + 4, at + 6);
    const long = ['OB', 'OW', 'UN', 'SQ', 'UT'].includes(vr);
    const length = long ? part10.readUInt32LE(at + 8) : part10.readUInt16LE(at + 6);
    out.subarray(at, at + 4).swap16();
    if (long) out.subarray(at + 8, at + 12).swap32();
    else out.subarray(at + 6, at + 8).swap16();
    const value = at + (long ? 12 : 8);
    if (vr === 'US' || vr === 'OW') out.subarray(value, value + length).swap16();
    at = value + length;
  }
  return out;
}

export type Item = Record<string, { vr: string; Value?: unknown[] }>;

export const json = (reply: Reply) => JSON.parse(reply.body.toString('utf8')) as Item[];

/** The items of a sequence of a store response. */
export const itemsOf = (reply: Reply, tag: string): Item[] =>
  ((JSON.parse(reply.body.toString('utf8')) as Item)[tag]?.Value ?? []) as Item[];
