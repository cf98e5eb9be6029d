// From what a client accepts to how it is answered (PS3.18 8.7.3 to 8.7.8): one mechanism for frames, bulk data and instances.
// Ranges are tried best first, the transfer syntaxes of one range in their order; the first that can be given is.
import {
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
  type TransferSyntax,
  transferSyntaxOf,
} from '../../dicom/transfer-syntax.js';
import { ArchiveError, hasCode } from '../../tiering/core/errors.js';
import { HttpProblem } from '../problem.js';
import { covers, type MediaRange, wantedItem } from './accept.js';
import { canonicalType, DEFAULT_SYNTAXES, DICOM, type Label, OCTETS, storedLabel } from './media-types.js';

/** Whether what is stored can be given in a transfer syntax. */
export type Gives = (syntax: string) => boolean;

export interface Choice extends Label {
  readonly wrap: 'multipart' | 'single';
}

/** The entry of a stored transfer syntax. CORRUPT when the index names one that is never stored. */
export function storedSyntax(uid: string): TransferSyntax {
  const stored = transferSyntaxOf(uid);
  if (stored === undefined) throw new ArchiveError('CORRUPT', `the index names the unknown transfer syntax ${uid}`);
  return stored;
}

/** Never made here: PS3.18 8.7.3 forbids them to web services, and only who stored them may have them back. */
function neverMade(uid: string): boolean {
  return uid === IMPLICIT_LITTLE || uid === EXPLICIT_BIG;
}

/** How a range asks for pixel data, in its order: what a transfer-syntax parameter names. */
function* namedPixels(range: MediaRange, wanted: string, stored: TransferSyntax): Generator<Label> {
  const asIs = storedLabel(stored);
  for (const syntax of range.syntaxes) {
    const same = syntax === '*' || syntax === stored.uid || syntax === asIs.syntax;
    const target = same ? undefined : transferSyntaxOf(syntax);
    if (!same && (target === undefined || neverMade(syntax))) continue;
    const label = target === undefined ? asIs : { type: target.mediaType, syntax };
    if (covers(wanted, label.type)) yield label;
    // Compressed bytes asked for as octets with their syntax: viewers do, and the label says what they are.
    else if (wanted === OCTETS) yield { type: OCTETS, syntax: label.syntax };
  }
}

/** The same without such a parameter (8.7.3.5.2). */
function* unnamedPixels(wanted: string, stored: TransferSyntax): Generator<Label> {
  const asIs = storedLabel(stored);
  if (covers(wanted, OCTETS)) yield { type: OCTETS, syntax: EXPLICIT_LITTLE };
  // Anything at all still means Explicit VR Little Endian, except of video, which is a category with defaults of its own.
  if (wanted === '*/*') {
    if (stored.video) yield asIs;
    return;
  }
  if (asIs.type !== OCTETS && covers(wanted, asIs.type)) yield asIs;
  for (const [type, syntax] of DEFAULT_SYNTAXES) if (covers(wanted, type)) yield { type, syntax };
}

function mediaRange(type: string, syntax: string, wrap: 'multipart' | 'single'): string {
  return wrap === 'single'
    ? `${type}; transfer-syntax=${syntax}`
    : `multipart/related; type="${type}"; transfer-syntax=${syntax}`;
}

/** Pixel data stored as `stored`: everything that it can be given as. */
function availablePixels(stored: TransferSyntax, gives: Gives): readonly string[] {
  const asIs = storedLabel(stored);
  const made: readonly Label[] = [
    { type: OCTETS, syntax: EXPLICIT_LITTLE },
    ...DEFAULT_SYNTAXES.map(([type, syntax]) => ({ type, syntax })),
  ];
  const all = [asIs, ...made.filter(({ syntax }) => syntax !== asIs.syntax && gives(syntax))];
  return all.map(({ type, syntax }) => mediaRange(type, syntax, 'multipart'));
}

/** The packaging of what is asked for: how many items it makes under a label, and how one goes to who accepts anything. */
export interface Packaging {
  readonly count: (label: Label) => number;
  readonly either: 'multipart' | 'single';
}

/** Chooses how pixel data is given. A single part is only given of one item. 406, listing what could be had, when no range fits. */
export function negotiatePixels(
  accept: readonly MediaRange[],
  stored: TransferSyntax,
  packaging: Packaging,
  gives: Gives,
): Choice {
  const asIs = storedLabel(stored);
  let onlyMany = false;
  for (const range of accept) {
    const item = wantedItem(range);
    const wanted = canonicalType(item.type);
    const labels = range.syntaxes.length > 0 ? namedPixels(range, wanted, stored) : unnamedPixels(wanted, stored);
    for (const label of labels) {
      if (label.syntax !== asIs.syntax && !gives(label.syntax)) continue;
      const one = packaging.count(label) === 1;
      const wrap = item.wrap === 'either' ? (one ? packaging.either : 'multipart') : item.wrap;
      if (wrap === 'multipart' || one) return { ...label, wrap };
      onlyMany = true;
    }
  }
  const available = availablePixels(stored, gives);
  throw new HttpProblem(
    406,
    onlyMany
      ? 'more than one item is only given as multipart/related'
      : `the pixel data is stored as ${stored.uid} (${stored.name}) and cannot be given as asked; \`available\` lists how it can, ` +
          'transfer-syntax=* being as it is stored',
    { available },
  );
}

/** The syntaxes in which a range of application/dicom wants an instance, in its order. */
function wantedSyntaxes(range: MediaRange, stored: string, unnamed: string): readonly string[] {
  if (range.syntaxes.length === 0) return [unnamed];
  return range.syntaxes.map((syntax) => (syntax === '*' ? stored : syntax));
}

/**
 * The transfer syntaxes in which an instance stored as `stored` may go to a client that accepts `ranges` (of one container), best first;
 * none when it cannot be given. `unnamed` is what no transfer-syntax parameter means.
 */
export function negotiateSyntaxes(
  ranges: readonly MediaRange[],
  stored: string,
  gives: Gives,
  unnamed: string,
): readonly string[] {
  const wanted = ranges.flatMap((range) => wantedSyntaxes(range, stored, unnamed));
  return [...new Set(wanted)].filter((syntax) => syntax === stored || (!neverMade(syntax) && gives(syntax)));
}

/** Everything that an instance stored as `stored` can be given as. */
export function availableInstances(stored: string, gives: Gives): readonly string[] {
  const made = [EXPLICIT_LITTLE, ...DEFAULT_SYNTAXES.map(([, syntax]) => syntax)];
  return [stored, ...made.filter((syntax) => syntax !== stored && gives(syntax))].map((syntax) =>
    mediaRange(DICOM, syntax, 'multipart'),
  );
}

/** What a codec cannot do with these very pixels (bits, samples) is no fault of the server: the client may ask otherwise. */
export async function acceptable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!hasCode(error, 'NOT_SUPPORTED')) throw error;
    throw new HttpProblem(406, `${error.message}; transfer-syntax=* gives it as it is stored`, { cause: error });
  }
}
