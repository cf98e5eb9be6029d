// Adds attributes to a DICOM JSON object (PS3.18 Annex F) that is text, without parsing it: numbers keep the digits that
// they were written with. F.2.2: attributes stay in ascending order of their tags.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/** Where the string that opens at `at` ends (behind its closing quote). */
function stringEnd(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === BACKSLASH) end++;
    else if (code === QUOTE) return end + 1;
  }
  return text.length;
}

interface Member {
  readonly tag: string;
  readonly start: number;
  readonly end: number;
}

/** The members of the outermost object: their tags, and where `"tag":value` lies. */
function members(text: string): readonly Member[] {
  const found: Member[] = [];
  let depth = 0;
  let start = -1;
  let tag = '';
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      if (depth === 1 && start < 0) {
        start = at;
        tag = text.slice(at + 1, end - 1);
      }
      at = end - 1;
    } else if (code === OPEN || code === OPEN_LIST) depth++;
    else if (code === CLOSE || code === CLOSE_LIST) {
      depth--;
      if (depth === 1) {
        found.push({ tag, start, end: at + 1 });
        start = -1;
      }
    }
  }
  return found;
}

/** `object` with `additions` (tag, then its member value as JSON text) put in order, in place of what had the tag before. */
export function spliceAttributes(
  object: string,
  additions: readonly (readonly [tag: string, value: string])[],
): string {
  const all = new Map(members(object).map((member) => [member.tag, object.slice(member.start, member.end)]));
  for (const [tag, value] of additions) all.set(tag, `"${tag}":${value}`);
  const tags = [...all.keys()].sort();
  return `{${tags.map((tag) => all.get(tag)).join(',')}}`;
}
