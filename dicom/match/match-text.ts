// Text as queries compare it: folding of case and accents, trimming, and wildcards. Pure, and never
// worse than the product of the two lengths whatever the pattern.

const folded = new Map<string, string>();
const FOLDED_MAX = 20_000;

/** One character without case, accent and full width. Depends on that character alone, so that a part of a text folds to a part of the folded text. */
function foldCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  // Full-width Latin letters and digits, as Japanese consoles write them.
  const narrow = code >= 0xff01 && code <= 0xff5e ? String.fromCodePoint(code - 0xfee0) : character;
  const bare = narrow.normalize('NFD').replace(/[\u0300-\u036f]/g, '');
  // Hangul and kana fall apart into several letters: those stay as they are.
  const kept = Array.from(bare).length <= 1 ? bare : narrow;
  const lower = kept.toLowerCase();
  return lower === 'ς' ? 'σ' : lower;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** `text` without case, accents of Latin, Greek and Cyrillic letters, and full-width forms. */
export function fold(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
  let out = '';
  for (const character of text) {
    let one = folded.get(character);
    if (one === undefined) {
      one = foldCharacter(character);
      if (folded.size >= FOLDED_MAX) folded.clear();
      folded.set(character, one);
    }
    out += one;
  }
  return out;
}

/** Without the spaces and NULs around it, which carry no meaning (PS3.5 6.2). */
export function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isPadding(text.charCodeAt(start))) start += 1;
  while (end > start && isPadding(text.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isPadding(code: number): boolean {
  return code === 0x20 || code === 0x00;
}

export function hasWildcard(pattern: string): boolean {
  return pattern.includes('*') || pattern.includes('?');
}

/** PS3.4 C.2.2.2.4: `*` is any sequence of characters, the empty one included; `?` is any one character. */
export function wildcardMatches(pattern: string, text: string): boolean {
  if (!pattern.includes('?')) return starsMatch(pattern.split('*'), text, exactFind);
  // One `?` is one character, not one half of a surrogate pair.
  const characters = Array.from(text);
  const parts = pattern.split('*').map((part) => Array.from(part));
  return starsMatch(parts, characters, looseFind);
}

interface Sequence {
  readonly length: number;
}

/** Where `part` first lies in `text` at or after `from`; at exactly `from` when `only`. -1: nowhere. */
type Find<T extends Sequence> = (text: T, part: T, from: number, only: boolean) => number;

/** The parts between stars must lie in order; taking each at its first place never spoils a later one. */
function starsMatch<T extends Sequence>(parts: readonly T[], text: T, find: Find<T>): boolean {
  const first = parts[0];
  const last = parts[parts.length - 1];
  if (first === undefined || last === undefined) return false;
  if (parts.length === 1) return first.length === text.length && find(text, first, 0, true) === 0;
  if (first.length + last.length > text.length) return false;
  if (find(text, first, 0, true) !== 0) return false;
  const end = text.length - last.length;
  if (find(text, last, end, true) !== end) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    if (part.length === 0) continue;
    const found = find(text, part, at, false);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= end;
}

const exactFind: Find<string> = (text, part, from, only) => {
  if (only) return text.startsWith(part, from) ? from : -1;
  return text.indexOf(part, from);
};

const looseFind: Find<readonly string[]> = (text, part, from, only) => {
  const lastStart = only ? Math.min(from, text.length - part.length) : text.length - part.length;
  for (let start = from; start <= lastStart; start++) {
    let at = 0;
    while (at < part.length && (part[at] === '?' || part[at] === text[start + at])) at += 1;
    if (at === part.length) return start;
  }
  return -1;
};
