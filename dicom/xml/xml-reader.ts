// Reads one Native DICOM Model document (PS3.19 A.1) from text. A DTD is refused before anything of it could count, so that no
// entity but the five of XML exists and nothing is ever fetched; depth costs memory only.
import { SaxesParser } from 'saxes';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { DataSet } from '../encode/element.js';
import { elementOf, refuse } from '../encode/read-value.js';
import { XmlDataSet } from './xml-data-set.js';

/** Characters between two steps. */
const STEP_CHARACTERS = 32 * 1024;
/** Values that may be left out between those with a number, in one document: else one number could ask for a billion. */
const GAPS_MAX = 65_536;
const TAG = /^[0-9A-Fa-f]{8}$/;
const NUMBER = /^[1-9]\d{0,6}$/;
const NAME_GROUPS = ['Alphabetic', 'Ideographic', 'Phonetic'];
const NAME_PARTS = ['FamilyName', 'GivenName', 'MiddleName', 'NamePrefix', 'NameSuffix'];

interface OpenAttribute {
  readonly kind: 'attribute';
  readonly tag: number;
  readonly creator: string | null;
  readonly vr: string | null;
  readonly values: (string | DataSet | null)[];
  base64: string | null;
  uri: string | null;
}

type Open =
  | { readonly kind: 'dataSet'; readonly dataSet: XmlDataSet }
  | OpenAttribute
  | { readonly kind: 'person'; readonly groups: string[][] }
  | { readonly kind: 'group'; readonly parts: string[] }
  | { readonly kind: 'text'; text: string; readonly done: (text: string) => void }
  | { readonly kind: 'nothing' };

type Attributes = Readonly<Record<string, string>>;

class XmlReader {
  readonly #open: Open[] = [];
  #gaps = 0;
  root: DataSet | null = null;

  opened(name: string, attributes: Attributes): void {
    const top = this.#open.at(-1);
    this.#open.push(top === undefined ? this.#document(name) : this.#child(top, name, attributes));
  }

  text(text: string): void {
    const top = this.#open.at(-1);
    if (top?.kind === 'text') top.text += text;
    else if (text.trim() !== '') throw malformed('text where the model has none');
  }

  closed(): void {
    const top = this.#open.pop();
    if (top?.kind === 'text') top.done(top.text);
    else if (top?.kind === 'attribute') this.#closedAttribute(top);
    else if (top?.kind === 'person') this.#parentAttribute().values.push(personText(top.groups));
    else if (top?.kind === 'dataSet') {
      const dataSet = top.dataSet.finish();
      if (this.#open.length === 0) this.root = dataSet;
      else this.#parentAttribute().values.push(dataSet);
    }
  }

  #document(name: string): Open {
    if (name !== 'NativeDicomModel') throw malformed('another document element than NativeDicomModel');
    return { kind: 'dataSet', dataSet: new XmlDataSet() };
  }

  #child(top: Open, name: string, attributes: Attributes): Open {
    if (top.kind === 'dataSet' && name === 'DicomAttribute') return openAttribute(attributes);
    if (top.kind === 'attribute') return this.#valueOf(top, name, attributes);
    if (top.kind === 'person' && NAME_GROUPS.includes(name)) {
      const parts: string[] = [];
      top.groups[NAME_GROUPS.indexOf(name)] = parts;
      return { kind: 'group', parts };
    }
    if (top.kind === 'group' && NAME_PARTS.includes(name)) {
      const { parts } = top;
      return { kind: 'text', text: '', done: (text) => (parts[NAME_PARTS.indexOf(name)] = text) };
    }
    throw malformed('an element where the model has none of that name');
  }

  #valueOf(top: OpenAttribute, name: string, attributes: Attributes): Open {
    const alone = name === 'BulkData' || name === 'InlineBinary';
    if (top.base64 !== null || top.uri !== null || (alone && top.values.length > 0)) {
      throw refuse(top.tag, 'more than one value');
    }
    switch (name) {
      case 'Value':
        this.#fillTo(top, attributes['number']);
        return { kind: 'text', text: '', done: (text) => top.values.push(text) };
      case 'PersonName':
        this.#fillTo(top, attributes['number']);
        return { kind: 'person', groups: [] };
      case 'Item':
        this.#fillTo(top, attributes['number']);
        return { kind: 'dataSet', dataSet: new XmlDataSet() };
      case 'InlineBinary':
        return { kind: 'text', text: '', done: (text) => (top.base64 = text.replace(/\s+/g, '')) };
      case 'BulkData':
        top.uri = attributes['uri'] ?? attributes['uuid'] ?? null;
        if (top.uri === null) throw refuse(top.tag, 'BulkData without a uri');
        return { kind: 'nothing' };
      default:
        throw refuse(top.tag, 'a kind of value that the model does not have');
    }
  }

  /** PS3.19 A.1.5: a value that is left out is empty. */
  #fillTo(top: OpenAttribute, number: string | undefined): void {
    if (number === undefined) return;
    const gap = NUMBER.test(number) ? Number(number) - 1 - top.values.length : -1;
    if (gap < 0) throw refuse(top.tag, 'a number that does not come after the one before');
    this.#gaps += gap;
    if (this.#gaps > GAPS_MAX) throw refuse(top.tag, `more than ${GAPS_MAX} values left out`);
    for (let count = 0; count < gap; count++) top.values.push(null);
  }

  #closedAttribute({ tag, creator, vr, values, base64, uri }: OpenAttribute): void {
    const parent = this.#open.at(-1);
    if (parent?.kind !== 'dataSet') throw malformed('an attribute outside of a data set');
    parent.dataSet.add(elementOf({ tag, vr, values, numeric: false, base64, uri }), creator);
  }

  #parentAttribute(): OpenAttribute {
    const top = this.#open.at(-1);
    if (top?.kind !== 'attribute') throw malformed('a value outside of an attribute');
    return top;
  }
}

function openAttribute(attributes: Attributes): OpenAttribute {
  const { tag = '', vr = null, privateCreator = null } = attributes;
  if (!TAG.test(tag)) throw malformed('a tag that is not eight hexadecimal digits');
  return {
    kind: 'attribute',
    tag: Number.parseInt(tag, 16),
    creator: privateCreator,
    vr,
    values: [],
    base64: null,
    uri: null,
  };
}

/** As PS3.5 6.2 writes it. */
function personText(groups: readonly (readonly string[] | undefined)[]): string {
  const group = (parts: readonly string[] = []) =>
    Array.from(parts, (part) => part ?? '')
      .join('^')
      .replace(/\^+$/, '');
  return Array.from(groups, group).join('=').replace(/=+$/, '');
}

/** What was wrong is told without the words of the parser, which quote the document. */
function malformed(what: string): ArchiveError {
  return new ArchiveError('INVALID', `the metadata is not a Native DICOM Model: ${what}`);
}

/** Reads one document, in steps. INVALID for what is no Native DICOM Model, and for any DTD. */
export function* readXml(text: string): Generator<void, DataSet, void> {
  const reader = new XmlReader();
  const parser = new SaxesParser({ position: false });
  const localName = (name: string) => name.slice(name.indexOf(':') + 1);
  parser.on('error', () => {
    throw malformed('it is not well-formed XML');
  });
  parser.on('doctype', () => {
    throw malformed('it has a DTD, which is never read');
  });
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && !/^utf-?8$/i.test(encoding)) throw malformed('an encoding other than UTF-8');
  });
  parser.on('opentag', (node) => reader.opened(localName(node.name), node.attributes as Attributes));
  parser.on('closetag', () => reader.closed());
  parser.on('text', (piece) => reader.text(piece));
  parser.on('cdata', (piece) => reader.text(piece));
  for (let at = 0; at < text.length; at += STEP_CHARACTERS) {
    parser.write(text.slice(at, at + STEP_CHARACTERS));
    yield;
  }
  parser.close();
  if (reader.root === null) throw malformed('it is empty');
  return reader.root;
}
