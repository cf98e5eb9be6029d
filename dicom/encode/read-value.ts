// From what JSON or XML says of one attribute to the element that is written: one place for the rules of PS3.18 F.2 and PS3.19
// A.1 about which VR may have which kind of value.
import { ArchiveError } from '../../tiering/core/errors.js';
import { tagText } from '../dicom-error.js';
import { implicitVr } from '../dictionary.js';
import { Kind, type Vr, vrNamed } from '../vr.js';
import type { DataSet, Element } from './element.js';

/** One attribute as it was read. */
export interface ReadAttribute {
  readonly tag: number;
  /** null: not said. */
  readonly vr: string | null;
  /** Texts (numbers as they were spelled), items, and null for an empty value. */
  readonly values: readonly (string | DataSet | null)[];
  /** One of the values was written as a number. */
  readonly numeric: boolean;
  readonly base64: string | null;
  readonly uri: string | null;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** INVALID, for the attribute `tag`. */
export function refuse(tag: number, what: string): ArchiveError {
  return new ArchiveError('INVALID', `${what} in ${tagText(tag)} of the metadata`);
}

/** The VR that an attribute without one has; a number below zero tells SS from US. */
function impliedVr(read: ReadAttribute): string {
  const negative = read.values.some((value) => typeof value === 'string' && value.startsWith('-'));
  const known = implicitVr(read.tag, negative);
  if (known !== undefined) return known;
  if (read.values.some((value) => Array.isArray(value))) return 'SQ';
  if (read.values.length > 0) throw refuse(read.tag, 'no vr, and an attribute that is not in the dictionary,');
  return 'UN';
}

function textsOf(read: ReadAttribute, vr: Vr): readonly string[] {
  if (read.numeric && vr.kind !== Kind.NUMBER && vr.kind !== Kind.NUMBER_TEXT) {
    throw refuse(read.tag, `a number for the vr ${vr.name}`);
  }
  return read.values.map((value) => {
    if (value === null) return '';
    if (typeof value === 'string') return value;
    // A person name without any group looks like an empty item.
    if (vr.kind === Kind.PERSON && value.length === 0) return '';
    throw refuse(read.tag, `an object for the vr ${vr.name}`);
  });
}

function itemsOf(read: ReadAttribute): readonly DataSet[] {
  return read.values.map((value) => {
    if (typeof value === 'string') throw refuse(read.tag, 'a text in place of an item');
    return value ?? [];
  });
}

function binaryOf(read: ReadAttribute, vr: Vr, base64: string): Uint8Array {
  if (vr.kind !== Kind.BINARY) throw refuse(read.tag, `InlineBinary for the vr ${vr.name}`);
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) throw refuse(read.tag, 'InlineBinary that is not base64');
  return Buffer.from(base64, 'base64');
}

/** The element. INVALID when the VR does not exist or cannot have such a value. */
export function elementOf(read: ReadAttribute): Element {
  const { tag, base64, uri } = read;
  const vr = vrNamed(read.vr ?? impliedVr(read));
  if (vr === undefined) throw refuse(tag, 'a vr that DICOM does not have');
  if (uri !== null) {
    if (vr.kind === Kind.SEQUENCE) throw refuse(tag, 'bulk data for a sequence');
    return { tag, vr: vr.name, value: { uri } };
  }
  if (base64 !== null) return { tag, vr: vr.name, value: binaryOf(read, vr, base64) };
  if (vr.kind === Kind.SEQUENCE) return { tag, vr: 'SQ', value: { items: itemsOf(read), delimited: true } };
  if (read.values.length === 0) return { tag, vr: vr.name, value: undefined };
  if (vr.kind === Kind.BINARY) throw refuse(tag, `a Value for the vr ${vr.name}, which has InlineBinary,`);
  return { tag, vr: vr.name, value: textsOf(read, vr) };
}
