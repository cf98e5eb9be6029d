// Person names as queries compare them: all three groups, without regard to case and accents; and fuzzily,
// by the tokens of name-tokens.ts.
import { fold, hasWildcard, trim, wildcardMatches } from './match-text.js';
import { type NameKeyWord, nameKeyWords, nameTokens } from './name-tokens.js';

/** The words and parts of words that any name must contain, case and accents apart, to match `key` either way. */
export function nameKeyParts(key: string): readonly string[] {
  return key.split(/[\s^=,*?-]+/).filter((part) => part !== '');
}

/**
 * Whether a name matches a key. `groups`: alphabetic, ideographic, phonetic, as far as there are. A key without `=` is held
 * against each of them; one with it, group by group. Without a wildcard, components are compared one by one and those that
 * the key leaves empty are not compared (PS3.4 C.2.2.2.3: zero length matches all); with one, the whole group is.
 */
export function nameMatches(key: string, groups: readonly string[], fuzzy: boolean): boolean {
  if (literalMatches(key, groups)) return true;
  return fuzzy && fuzzyMatches(key, groups);
}

function literalMatches(key: string, groups: readonly string[]): boolean {
  const keyGroups = key.split('=');
  if (keyGroups.length === 1) return groups.some((group) => groupMatches(key, group));
  return keyGroups.every((keyGroup, at) => groupMatches(keyGroup, groups[at] ?? ''));
}

function canonical(text: string): string {
  return trim(fold(text)).replace(/[\^ ]+$/, '');
}

function groupMatches(keyGroup: string, group: string): boolean {
  const key = canonical(keyGroup);
  if (key === '') return true;
  const name = canonical(group);
  if (hasWildcard(key)) return wildcardMatches(key, name) || wildcardMatches(key, `${name}^`);
  const components = name.split('^');
  return key.split('^').every((part, at) => trim(part) === '' || trim(part) === trim(components[at] ?? ''));
}

/** Each word of the key is found among what the name can be found by, in any order and group. */
function fuzzyMatches(key: string, groups: readonly string[]): boolean {
  const words = nameKeyWords(key);
  if (words.length === 0) return false;
  const tokens = nameTokens(groups);
  return words.every((word) => hasWord(tokens, word));
}

function hasWord(tokens: ReadonlySet<string>, { beginnings, sounds, pattern }: NameKeyWord): boolean {
  if (sounds.some((sound) => tokens.has(sound))) return true;
  for (const token of tokens) {
    if (pattern !== null && wildcardMatches(pattern, token)) return true;
    if (beginnings.some((beginning) => token.startsWith(beginning))) return true;
  }
  return false;
}
