// Content negotiation (PS3.18 8.7.4) as clients really do it: quotes optional, any case, `;null`, repeated
// parameters, q-values. Parsing never fails and takes time in proportion to its input; what fits nothing is a 406.

/** One media range of an Accept header. */
export interface MediaRange {
  /** `multipart/related`, `application/dicom`, `image/*` ... in lower case. */
  readonly type: string;
  /** The `type` parameter in lower case. */
  readonly part: string | null;
  /** Every transfer-syntax parameter in order: UIDs or `*`. */
  readonly syntaxes: readonly string[];
  readonly q: number;
}

/** A media type with its parameters, as in Content-Type. Names in lower case, quotes taken off, first of equals wins. */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Splits at `separator` outside of quotes. An unclosed quote runs to the end. */
function splitOutsideQuotes(text: string, separator: string): string[] {
  if (!text.includes('"')) return text.split(separator);
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\\' && quoted) at++;
    else if (char === '"') quoted = !quoted;
    else if (char === separator && !quoted) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function unquote(text: string): string {
  const trimmed = text.trim();
  if (trimmed.length < 2 || !trimmed.startsWith('"') || !trimmed.endsWith('"')) return trimmed;
  return trimmed.slice(1, -1).replace(/\\(.)/g, '$1');
}

function* parameters(pieces: readonly string[]): Generator<readonly [string, string]> {
  for (const piece of pieces) {
    const equals = piece.indexOf('=');
    // Weasis ends its header in `;null` when its extension is unset: what is no parameter is skipped.
    if (equals > 0) yield [piece.slice(0, equals).trim().toLowerCase(), unquote(piece.slice(equals + 1))];
  }
}

/** Parses a Content-Type. */
export function parseMediaType(header: string): MediaType {
  const [type = '', ...rest] = splitOutsideQuotes(header, ';');
  const found = new Map<string, string>();
  for (const [name, value] of parameters(rest)) if (!found.has(name)) found.set(name, value);
  return { type: type.trim().toLowerCase(), parameters: found };
}

function parseRange(text: string): MediaRange | null {
  const [type = '', ...rest] = splitOutsideQuotes(text, ';');
  const name = type.trim().toLowerCase();
  if (!name.includes('/')) return name === '*' ? { type: '*/*', part: null, syntaxes: [], q: 1 } : null;
  let part: string | null = null;
  let q = 1;
  const syntaxes: string[] = [];
  for (const [key, value] of parameters(rest)) {
    if (key === 'type') part ??= value.toLowerCase();
    else if (key === 'transfer-syntax') syntaxes.push(value);
    else if (key === 'q') q = /^[01](\.\d{0,3})?$/.test(value) ? Math.min(1, Number(value)) : 1;
  }
  return q === 0 ? null : { type: name, part, syntaxes, q };
}

/** Anything at all: what a request without Accept says. */
export const ANYTHING: readonly MediaRange[] = [{ type: '*/*', part: null, syntaxes: [], q: 1 }];

// Viewers send one header thousands of times.
const seen = new Map<string, readonly MediaRange[]>();
const SEEN_MAX = 256;
const SEEN_CHARACTERS_MAX = 512;

/** The ranges of an Accept header, best first (q, then order). Empty when none of them can be read. */
export function parseAccept(header: string | undefined, rangesMax: number): readonly MediaRange[] {
  if (header === undefined || header.trim() === '') return ANYTHING;
  const known = seen.get(header);
  if (known !== undefined) return known;
  const ranges = splitOutsideQuotes(header, ',')
    .slice(0, rangesMax)
    .map(parseRange)
    .filter((range) => range !== null)
    .sort((a, b) => b.q - a.q);
  if (header.length <= SEEN_CHARACTERS_MAX) {
    if (seen.size >= SEEN_MAX) seen.clear();
    seen.set(header, ranges);
  }
  return ranges;
}

/** Whether a media range's type covers `type`. */
export function covers(wanted: string, type: string): boolean {
  return (
    wanted === type ||
    wanted === '*/*' ||
    (wanted.endsWith('/*') && type.startsWith(wanted.slice(0, wanted.length - 1)))
  );
}

/** How a range wants a bulk answer: the type of the item, and whether wrapped in multipart/related. */
export function wantedItem(range: MediaRange): {
  readonly type: string;
  readonly wrap: 'multipart' | 'single' | 'either';
} {
  if (range.type === 'multipart/related' || range.type === 'multipart/*') {
    return { type: range.part ?? '*/*', wrap: 'multipart' };
  }
  return { type: range.type, wrap: range.type === '*/*' ? 'either' : 'single' };
}
