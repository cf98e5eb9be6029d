// A structured report as people read it: its content tree (PS3.3 C.17.3) as plain HTML or text. Everything that the report says is
// escaped; nothing outside of it is referred to.
import type { DicomJson } from '../json/json-object.js';
import { textOf } from '../json/json-object.js';
import { itemsOf, numbersOf, readable, readableOf, valuesOf } from './item.js';

/** Reports that people write have some hundred items; measurement reports of machines some thousand. */
const ITEMS_MAX = 20_000;
const DEPTH_MAX = 32;

interface Line {
  readonly depth: number;
  readonly heading: boolean;
  readonly name: string | null;
  readonly value: string | null;
}

export interface Report {
  readonly title: string;
  /** Patient, dates, state: label and value. */
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly lines: readonly Line[];
  /** More items than are shown. */
  readonly cut: boolean;
}

function meaningOf(code: DicomJson | undefined): string | null {
  if (code === undefined) return null;
  return readableOf(code, '00080104') ?? readableOf(code, '00080100');
}

function conceptOf(item: DicomJson): string | null {
  return meaningOf(itemsOf(item, '0040A043')[0]);
}

function numericOf(item: DicomJson): string | null {
  const [measured] = itemsOf(item, '0040A300');
  const value = readableOf(measured, '0040A30A');
  if (value === null) return meaningOf(itemsOf(item, '0040A301')[0]);
  const [units] = itemsOf(measured, '004008EA');
  const unit = units === undefined ? null : readableOf(units, '00080100');
  return unit === null || unit === '1' ? value : `${value} ${unit}`;
}

function referenceOf(item: DicomJson): string | null {
  const [reference] = itemsOf(item, '00081199');
  const sop = readableOf(reference, '00081155');
  if (sop === null) return null;
  const frames = numbersOf(reference, '00081160');
  return frames.length === 0 ? `instance ${sop}` : `instance ${sop}, frame ${frames.slice(0, 16).join(', ')}`;
}

const DATE_PARTS = /^(\d{4})(\d{2})(\d{2})$/;

function dateText(text: string | null): string | null {
  return text === null ? null : text.replace(DATE_PARTS, '$1-$2-$3');
}

function itemValue(item: DicomJson): string | null {
  switch (textOf(item, '0040A040') ?? '') {
    case 'TEXT':
      return readableOf(item, '0040A160');
    case 'CODE':
      return meaningOf(itemsOf(item, '0040A168')[0]);
    case 'NUM':
      return numericOf(item);
    case 'PNAME':
      return readableOf(item, '0040A123');
    case 'DATE':
      return dateText(readableOf(item, '0040A121'));
    case 'TIME':
      return readableOf(item, '0040A122');
    case 'DATETIME':
      return readableOf(item, '0040A120');
    case 'UIDREF':
      return readableOf(item, '0040A124');
    case 'IMAGE':
    case 'COMPOSITE':
    case 'WAVEFORM':
      return referenceOf(item);
    case 'SCOORD':
    case 'SCOORD3D':
      return [textOf(item, '00700023'), numbersOf(item, '00700022').slice(0, 12).join(' ')].filter(Boolean).join(' ');
    default:
      return null;
  }
}

function collect(item: DicomJson, depth: number, lines: Line[]): boolean {
  if (lines.length >= ITEMS_MAX || depth > DEPTH_MAX) return true;
  const heading = textOf(item, '0040A040') === 'CONTAINER';
  const name = conceptOf(item);
  const value = itemValue(item);
  if (name !== null || value !== null) lines.push({ depth, heading, name, value });
  let cut = false;
  for (const child of itemsOf(item, '0040A730')) cut = collect(child, depth + 1, lines) || cut;
  return cut;
}

/** Reads a report out of a data set. Never fails: what is not there is not shown. */
export function reportOf(json: DicomJson): Report {
  const lines: Line[] = [];
  let cut = false;
  for (const child of itemsOf(json, '0040A730')) cut = collect(child, 0, lines) || cut;
  const facts: readonly (readonly [string, string | null])[] = [
    ['Patient', readableOf(json, '00100010')],
    ['Patient ID', readableOf(json, '00100020')],
    ['Born', dateText(readableOf(json, '00100030'))],
    ['Sex', readableOf(json, '00100040')],
    ['Study', dateText(readableOf(json, '00080020'))],
    ['Accession number', readableOf(json, '00080050')],
    ['Content date', dateText(readableOf(json, '00080023'))],
    [
      'State',
      [readable(valuesOf(json, '0040A491')[0]), readable(valuesOf(json, '0040A493')[0])].filter(Boolean).join(', ') ||
        null,
    ],
  ];
  return {
    title: conceptOf(json) ?? readableOf(json, '0008103E') ?? 'Report',
    facts: facts.filter((fact): fact is readonly [string, string] => fact[1] !== null),
    lines,
    cut,
  };
}

const CUT = 'The report has more items than are shown here.';

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function htmlLine({ depth, heading, name, value }: Line): string {
  if (heading) {
    const level = Math.min(6, depth + 2);
    return `<h${level}>${escaped(name ?? '')}</h${level}>`;
  }
  const label = name === null ? '' : `<span class="name">${escaped(name)}</span> `;
  const indent = Math.min(depth, 12);
  return `<p style="margin-left:${indent * 1.2}em">${label}${escaped(value ?? '').replaceAll(/\r\n|\r|\n/g, '<br>')}</p>`;
}

const STYLE =
  'body{font:16px/1.45 sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#111;background:#fff}' +
  'h1{font-size:1.5em}h2{font-size:1.2em;border-bottom:1px solid #ccc}h3,h4,h5,h6{font-size:1em}' +
  'table{border-collapse:collapse}th{text-align:left;font-weight:normal;color:#555;padding-right:1.5em}' +
  'p{margin:.3em 0;overflow-wrap:anywhere}.name{color:#555}';

/** One page, UTF-8, that needs nothing else. */
export function reportHtml(report: Report): string {
  const facts = report.facts.map(([label, value]) => `<tr><th>${label}</th><td>${escaped(value)}</td></tr>`).join('');
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(report.title)}</title><style>${STYLE}</style></head>` +
    `<body><h1>${escaped(report.title)}</h1><table>${facts}</table>${report.lines.map(htmlLine).join('\n')}` +
    `${report.cut ? `<p>${CUT}</p>` : ''}</body></html>\n`
  );
}

/** The same as indented lines. */
export function reportText(report: Report): string {
  const lines = [report.title, '', ...report.facts.map(([label, value]) => `${label}: ${value}`), ''];
  for (const { depth, name, value } of report.lines) {
    lines.push(`${'  '.repeat(depth)}${name ?? ''}${name !== null && value !== null ? ': ' : ''}${value ?? ''}`);
  }
  if (report.cut) lines.push('', CUT);
  return `${lines.join('\n')}\n`;
}
