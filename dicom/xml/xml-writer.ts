// Native DICOM Model XML (PS3.19 A.1) of one data set, written from its PS3.18 JSON text: numbers keep their digits, and
// depth costs memory only.

import { keywordOf } from '../dictionary.js';
import { type DataSet, type Element, isBulkReference, isItems } from '../encode/element.js';
import { readJson } from '../encode/json-reader.js';
import { NATIVE_DICOM, xmlText } from './xml-text.js';

/** About what a piece has: large enough to cost little per write, small enough to make without a pause. */
const PIECE_CHARACTERS = 32 * 1024;
const NAME_GROUPS = ['Alphabetic', 'Ideographic', 'Phonetic'] as const;
const NAME_PARTS = ['FamilyName', 'GivenName', 'MiddleName', 'NamePrefix', 'NameSuffix'] as const;

/** A data set or item that is being written. */
interface Open {
  readonly dataSet: DataSet;
  next: number;
  readonly creators: Creators;
  /** Of the sequence at `next`. */
  nextItem: number;
}

/** Private Creators of one data set: (gggg,00bb) by `gggg << 16 | bb`, and the first block of each creator. */
interface Creators {
  readonly byBlock: ReadonlyMap<number, string>;
  readonly firstBlock: ReadonlyMap<string, number>;
}

const NONE: Creators = { byBlock: new Map(), firstBlock: new Map() };

function isCreator({ tag, value }: Element): boolean {
  const block = tag & 0xffff;
  return (tag & 0x10000) !== 0 && block >= 0x10 && block <= 0xff && Array.isArray(value);
}

function creatorsOf(dataSet: DataSet): Creators {
  if (!dataSet.some(isCreator)) return NONE;
  const byBlock = new Map<number, string>();
  const firstBlock = new Map<string, number>();
  for (const one of dataSet.filter(isCreator)) {
    const name = String((one.value as readonly string[])[0] ?? '');
    byBlock.set(one.tag, name);
    const key = `${one.tag >>> 16} ${name}`;
    if (!firstBlock.has(key)) firstBlock.set(key, one.tag & 0xffff);
  }
  return { byBlock, firstBlock };
}

/**
 * The attributes of DicomAttribute. PS3.19 table A.1.5-2: a private element is named by its creator, with 00 in place of the block;
 * where one creator has several blocks, the others keep theirs, so that nothing is named twice.
 */
function openingTag({ tag, vr }: Element, creators: Creators): string {
  const hex = (number: number) => number.toString(16).toUpperCase().padStart(8, '0');
  const group = tag >>> 16;
  const block = (tag >>> 8) & 0xff;
  const creator = group % 2 === 1 ? creators.byBlock.get(((group << 16) | block) >>> 0) : undefined;
  if (creator !== undefined && creator !== '' && block >= 0x10) {
    const first = creators.firstBlock.get(`${group} ${creator}`) === block;
    const shown = first ? (tag & 0xffff00ff) >>> 0 : tag;
    return `<DicomAttribute tag="${hex(shown)}" vr="${vr}" privateCreator="${xmlText(creator)}">`;
  }
  const keyword = keywordOf(hex(tag));
  return `<DicomAttribute tag="${hex(tag)}" vr="${vr}"${keyword === undefined ? '' : ` keyword="${keyword}"`}>`;
}

function personXml(text: string, number: number): string {
  const [alphabetic = '', ideographic = '', ...rest] = text.split('=');
  const groups = [alphabetic, ideographic, rest.join('=')].map((group, at) => {
    if (group === '') return '';
    const parts = group.split('^');
    const texts = NAME_PARTS.map((name, part) => {
      // A sixth component is none of the model's: it stays where it was, in the last.
      const value = part === NAME_PARTS.length - 1 ? parts.slice(part).join('^') : (parts[part] ?? '');
      return value === '' ? '' : `<${name}>${xmlText(value)}</${name}>`;
    });
    return `<${NAME_GROUPS[at]}>${texts.join('')}</${NAME_GROUPS[at]}>`;
  });
  return `<PersonName number="${number}">${groups.join('')}</PersonName>`;
}

/** Anything but items. An empty value among others keeps its number by being left out (PS3.19 A.1.5). */
function valueXml({ vr, value }: Element): string {
  if (value === undefined) return '';
  if (value instanceof Uint8Array) return `<InlineBinary>${Buffer.from(value).toString('base64')}</InlineBinary>`;
  if (isBulkReference(value)) return `<BulkData uri="${xmlText(value.uri)}"/>`;
  const values = Array.isArray(value) ? (value as readonly (string | number)[]) : [value as string | number];
  return values
    .map((one, at) => {
      const text = String(one);
      if (text === '' && at < values.length - 1) return '';
      return vr === 'PN' ? personXml(text, at + 1) : `<Value number="${at + 1}">${xmlText(text)}</Value>`;
    })
    .join('');
}

function* dataSetXml(dataSet: DataSet): Generator<string, void, void> {
  const open: Open[] = [{ dataSet, next: 0, creators: creatorsOf(dataSet), nextItem: 0 }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const one = top.dataSet[top.next];
    if (one === undefined) {
      open.pop();
      const parent = open.at(-1);
      if (parent !== undefined) yield '</Item>';
      continue;
    }
    const { value } = one;
    if (!isItems(value)) {
      yield `${openingTag(one, top.creators)}${valueXml(one)}</DicomAttribute>`;
      top.next++;
      continue;
    }
    if (top.nextItem === 0) yield openingTag(one, top.creators);
    const item = value.items[top.nextItem];
    if (item === undefined) {
      yield '</DicomAttribute>';
      top.next++;
      top.nextItem = 0;
      continue;
    }
    top.nextItem++;
    yield `<Item number="${top.nextItem}">`;
    open.push({ dataSet: item, next: 0, creators: creatorsOf(item), nextItem: 0 });
  }
}

/**
 * The XML document of one PS3.18 JSON object, in pieces that are cheap to make. `BulkDataURI` becomes `<BulkData uri>` as it is.
 * @throws INVALID when `json` is not a PS3.18 Annex F data set.
 */
export function* nativeXml(json: string): Generator<string, void, void> {
  const reader = readJson(json);
  let read = reader.next();
  for (; read.done !== true; read = reader.next()) yield '';
  let held = `<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="${NATIVE_DICOM}" xml:space="preserve">`;
  for (const piece of dataSetXml(read.value)) {
    held += piece;
    if (held.length < PIECE_CHARACTERS) continue;
    yield held;
    held = '';
  }
  yield `${held}</NativeDicomModel>\n`;
}
