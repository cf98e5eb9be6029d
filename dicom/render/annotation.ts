// Text burnt into an image (PS3.18 8.3.5.1.1): which lines an instance gives, and how they are drawn over a picture of any size.
import type { DicomJson } from '../json/json-object.js';
import { readableOf } from './item.js';
import type { RenderRequest } from './types.js';

type Lines = readonly string[];

/** More of a value would not be read, and costs time to draw. */
const LINE_CHARACTERS_MAX = 64;

function lines(json: DicomJson, parts: readonly (readonly [label: string, tag: string, unit?: string])[]): Lines {
  return parts.flatMap(([label, tag, unit = '']) => {
    const value = readableOf(json, tag);
    return value === null ? [] : [`${label}${value}${unit}`];
  });
}

/** Who it is. */
export function patientLines(json: DicomJson): Lines {
  return lines(json, [
    ['', '00100010'],
    ['ID ', '00100020'],
    ['Born ', '00100030'],
    ['Sex ', '00100040'],
  ]);
}

/** How the image was made. */
export function techniqueLines(json: DicomJson): Lines {
  return lines(json, [
    ['', '00080060'],
    ['Study ', '00080020'],
    ['Series ', '0008103E'],
    ['Image ', '00200013'],
    ['', '00180060', ' kV'],
    ['', '00181151', ' mA'],
    ['', '00181152', ' mAs'],
    ['TR ', '00180080', ' ms'],
    ['TE ', '00180081', ' ms'],
    ['Thickness ', '00180050', ' mm'],
    ['View ', '00185101'],
    ['', '00200062'],
  ]);
}

/** Text for XML: what it may not hold is left out, what means something in it is escaped. */
function escaped(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Widths in ems: ideographs are square, the letters of a sans-serif about half as wide. */
function ems(text: string): number {
  let sum = 0;
  for (const character of text) sum += (character.codePointAt(0) ?? 0) >= 0x2e80 ? 1.02 : 0.6;
  return sum;
}

function cut(text: string, widthInEms: number): string {
  if (ems(text) <= widthInEms) return text;
  let kept = '';
  for (const character of text) {
    if (ems(kept) + ems(character) + 0.6 > widthInEms) break;
    kept += character;
  }
  return `${kept}\u2026`;
}

const SIZE_MIN = 8;
const SIZE_MAX = 48;
const LINE_HEIGHT = 1.25;

function block(all: Lines, size: number, x: number, anchor: 'start' | 'end', widthInEms: number): string {
  return all
    .map((line, at) => {
      const y = Math.round(size * (1 + at * LINE_HEIGHT + 0.2));
      return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(cut(line, widthInEms))}</text>`;
    })
    .join('');
}

/**
 * The lines as SVG of the picture's size: white with a dark edge, so that they are read on any ground. Patient at the top left, technique at the top
 * right; where both have lines each gets half of the width. Letters shrink to what fits, down to 8 pixels; then lines are cut short.
 */
export function annotationSvg(width: number, height: number, annotation: RenderRequest['annotation']): string | null {
  const patient = (annotation?.patient ?? []).map((line) => line.slice(0, LINE_CHARACTERS_MAX));
  const technique = (annotation?.technique ?? []).map((line) => line.slice(0, LINE_CHARACTERS_MAX));
  const count = Math.max(patient.length, technique.length);
  if (count === 0) return null;
  const room = patient.length > 0 && technique.length > 0 ? width * 0.48 : width * 0.96;
  const widest = Math.max(...[...patient, ...technique].map(ems));
  const fitting = Math.min(Math.min(width, height) / 28, room / widest, height / (count * LINE_HEIGHT + 0.5));
  const size = Math.round(Math.min(SIZE_MAX, Math.max(SIZE_MIN, fitting)));
  const edge = Math.max(1, size / 8);
  const margin = Math.round(width * 0.02);
  const inEms = room / size;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<g font-family="sans-serif" font-size="${size}" fill="#fff" stroke="#000" stroke-width="${edge}" paint-order="stroke">` +
    block(patient, size, margin, 'start', inEms) +
    block(technique, size, width - margin, 'end', inEms) +
    '</g></svg>'
  );
}
