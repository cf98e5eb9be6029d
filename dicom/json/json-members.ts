// Takes a JSON object's text apart into its members without parsing their values, so that numbers keep every
// digit and nothing is written anew.
import { ArchiveError } from '../../tiering/core/errors.js';

const QUOTE = 0x22;
const ESCAPE = 0x5c;

/** One member: its name, and `"name":value` as it stands in the text. */
export interface JsonMember {
  readonly name: string;
  readonly text: string;
}

/** The members of an object in the order of the text. CORRUPT when `json` is not one object. */
export function jsonMembers(json: string): JsonMember[] {
  const members: JsonMember[] = [];
  let at = skipSpace(json, 0);
  if (json[at] !== '{') throw notAnObject();
  at = skipSpace(json, at + 1);
  if (json[at] === '}') return ended(json, at, members);
  for (;;) {
    if (json.charCodeAt(at) !== QUOTE) throw notAnObject();
    const nameEnd = afterString(json, at);
    const colon = skipSpace(json, nameEnd);
    if (json[colon] !== ':') throw notAnObject();
    const end = afterValue(json, skipSpace(json, colon + 1));
    members.push({ name: json.slice(at + 1, nameEnd - 1), text: json.slice(at, end).trimEnd() });
    if (json[end] === '}') return ended(json, end, members);
    at = skipSpace(json, end + 1);
  }
}

function ended(json: string, at: number, members: JsonMember[]): JsonMember[] {
  if (skipSpace(json, at + 1) !== json.length) throw notAnObject();
  return members;
}

function notAnObject(): ArchiveError {
  return new ArchiveError('CORRUPT', 'stored attributes are not a JSON object');
}

function skipSpace(json: string, from: number): number {
  let at = from;
  while (at < json.length && json.charCodeAt(at) <= 0x20) at += 1;
  return at;
}

function afterString(json: string, from: number): number {
  for (let at = from + 1; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === ESCAPE) at += 1;
    else if (code === QUOTE) return at + 1;
  }
  throw notAnObject();
}

/** Where the comma or brace after the value lies. */
function afterValue(json: string, from: number): number {
  let depth = 0;
  for (let at = from; at < json.length; ) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      at = afterString(json, at);
      continue;
    }
    if (depth === 0 && (code === 0x2c || code === 0x7d)) return at;
    if (code === 0x7b || code === 0x5b) depth += 1;
    else if (code === 0x7d || code === 0x5d) depth -= 1;
    at += 1;
  }
  throw notAnObject();
}
