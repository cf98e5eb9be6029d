// The DICOM data dictionary (PS3.6), taken from the package dcmjs, which keeps it in a module of its own:
// none of dcmjs's code or loggers is loaded. Imported at start, although an explicit VR instance never asks: requiring an ES
// module later, while another import is under way, kills Node 20 ("IsGraphAsync must be used on an instantiated module").
// Everything is looked up in Maps, made at the first question: no keyword can reach a prototype.
import { dictionary as entries } from 'dcmjs/dictionary';

interface Range {
  readonly groupFirst: number;
  readonly groupLast: number;
  readonly elementFirst: number;
  readonly elementLast: number;
  readonly vr: string;
  readonly keyword: string;
}

interface Dictionary {
  readonly vrs: ReadonlyMap<number, string>;
  readonly keywords: ReadonlyMap<number, string>;
  readonly tags: ReadonlyMap<string, number>;
  /** Repeating groups and elements: (50xx,eeee), (60xx,eeee), (7Fxx,eeee), (0020,31xx). */
  readonly ranges: readonly Range[];
}

const SINGLE = /^\(([0-9A-F]{4}),([0-9A-F]{4})\)$/;
const REPEATING = /^\(([0-9A-F]{4})(?:-([0-9A-F]{4}))?,([0-9A-F]{4})(?:-([0-9A-F]{4}))?\)$/;
const TAG = /^[0-9A-Fa-f]{8}$/;

let loaded: Dictionary | undefined;

function load(): Dictionary {
  const vrs = new Map<number, string>();
  const keywords = new Map<number, string>();
  const tags = new Map<string, number>();
  const ranges: Range[] = [];
  for (const entry of Object.values(entries)) {
    // The package has a few entries with neither name nor VR.
    if (entry.name === undefined || entry.vr === undefined) continue;
    const keyword = entry.name.replace(/^RETIRED_/, '');
    const single = SINGLE.exec(entry.tag);
    if (single !== null) {
      const tag = Number.parseInt(`${single[1]}${single[2]}`, 16);
      vrs.set(tag, entry.vr);
      keywords.set(tag, keyword);
      if (!tags.has(keyword)) tags.set(keyword, tag);
      continue;
    }
    const repeating = REPEATING.exec(entry.tag);
    if (repeating === null) continue;
    const [, group = '', groupLast = group, element = '', elementLast = element] = repeating;
    ranges.push({
      groupFirst: Number.parseInt(group, 16),
      groupLast: Number.parseInt(groupLast, 16),
      elementFirst: Number.parseInt(element, 16),
      elementLast: Number.parseInt(elementLast, 16),
      vr: entry.vr,
      keyword,
    });
  }
  return { vrs, keywords, tags, ranges };
}

function dictionary(): Dictionary {
  loaded ??= load();
  return loaded;
}

function rangeOf(tag: number): Range | undefined {
  const group = tag >>> 16;
  const element = tag & 0xffff;
  if (group % 2 === 1) return undefined;
  for (const range of dictionary().ranges) {
    if (group < range.groupFirst || group > range.groupLast) continue;
    if (element >= range.elementFirst && element <= range.elementLast) return range;
  }
  return undefined;
}

/** The package writes VRs that depend on other attributes in lower case; this is what implicit VR means by them (PS3.5 A.1). */
function settled(vr: string, signed: boolean): string | undefined {
  switch (vr) {
    case 'xs':
      return signed ? 'SS' : 'US';
    case 'ox':
    case 'lt':
      return 'OW';
    case 'up':
      return 'UL';
    default:
      return /^[A-Z]{2}$/.test(vr) ? vr : undefined;
  }
}

/**
 * The VR of a tag as Implicit VR has it: undefined for private and unknown tags.
 * @param signed (0028,0103) Pixel Representation is 1: decides US or SS.
 */
export function implicitVr(tag: number, signed: boolean): string | undefined {
  const element = tag & 0xffff;
  const group = tag >>> 16;
  if (element === 0) return 'UL';
  if (group % 2 === 1) return element >= 0x10 && element <= 0xff ? 'LO' : undefined;
  const vr = dictionary().vrs.get(tag) ?? rangeOf(tag)?.vr;
  return vr === undefined ? undefined : settled(vr, signed);
}

/** The VR of `tagHex` (8 hex digits), or undefined when the tag is private, unknown or no tag. US stands for US or SS. */
export function vrOf(tagHex: string): string | undefined {
  return TAG.test(tagHex) ? implicitVr(Number.parseInt(tagHex, 16), false) : undefined;
}

/** The tag of a keyword such as `PatientName`, as 8 upper-case hex digits, or undefined. */
export function tagOfKeyword(keyword: string): string | undefined {
  const tag = dictionary().tags.get(keyword);
  return tag === undefined ? undefined : tag.toString(16).toUpperCase().padStart(8, '0');
}

/** The keyword of a tag (8 hex digits), or undefined. */
export function keywordOf(tagHex: string): string | undefined {
  if (!TAG.test(tagHex)) return undefined;
  const tag = Number.parseInt(tagHex, 16);
  return dictionary().keywords.get(tag) ?? rangeOf(tag)?.keyword;
}
