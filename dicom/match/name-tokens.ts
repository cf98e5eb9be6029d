// What a person name can be found by fuzzily (PS3.18 8.3.4.2): the beginnings of its words in each group, how its Latin
// words sound, and how its Chinese characters are read. The same tokens are kept in an index and compared by match-name.ts, so
// that both say the same.
import { doubleMetaphone } from 'double-metaphone';
import { fold } from './match-text.js';
import { isHan, readingsOf } from './pinyin.js';

/** A name is at most 64 characters in each component (PS3.5 6.2); what lies beyond these bounds is not found fuzzily. */
const GROUP_CHARACTERS_MAX = 320;
const WORDS_MAX = 12;
const TOKEN_CHARACTERS_MAX = 48;
const HAN_CHARACTERS_MAX = 8;
/** Ways to read one run of characters that are kept: four characters of two readings each. */
const READINGS_MAX = 16;
const KEY_WORDS_MAX = 12;

/** Marks a token for a sound, which is compared whole. No other token begins with it. */
const SOUND = '_';

/** One word of a key: it is found when a token begins with one of `beginnings`, is one of `sounds`, or fits `pattern`. */
export interface NameKeyWord {
  readonly beginnings: readonly string[];
  readonly sounds: readonly string[];
  /** With `*` or `?` inside of the word. */
  readonly pattern: string | null;
}

/** The tokens of a name's groups (alphabetic, ideographic, phonetic, as far as there are): letters and digits, sounds with `_` before them. */
export function nameTokens(groups: readonly string[]): ReadonlySet<string> {
  const tokens = new Set<string>();
  for (const group of groups) {
    const words = wordsOf(group.slice(0, GROUP_CHARACTERS_MAX), WORDS_MAX);
    addJoined(tokens, words);
    for (const word of words) for (const sound of soundsOf(word)) tokens.add(sound);
    addReadings(tokens, words);
  }
  return tokens;
}

/** The words of a key as they are looked for; empty when there is nothing in it to look for. */
export function nameKeyWords(key: string): readonly NameKeyWord[] {
  return splitWords(key, /[^\p{L}\p{M}\p{N}*?]+/u)
    .map((word) => word.replace(/^\*+|\*+$/g, ''))
    .filter((word) => word !== '')
    .slice(0, KEY_WORDS_MAX)
    .map((word) => {
      if (/[*?]/.test(word)) return { beginnings: [], sounds: [], pattern: `${word}*` };
      const cut = word.slice(0, TOKEN_CHARACTERS_MAX);
      // `zhang1 wei3`: tones are ignored.
      const toneless = /^([a-z]+[1-5])+$/.test(cut) ? [cut.replace(/[1-5]/g, '')] : [];
      return { beginnings: [cut, ...toneless], sounds: soundsOf(word), pattern: null };
    });
}

function wordsOf(text: string, most: number): readonly string[] {
  return splitWords(text, /[^\p{L}\p{M}\p{N}]+/u).slice(0, most);
}

/** Latin letters that are not a plain one with an accent. */
const PLAIN: Readonly<Record<string, string>> = {
  ł: 'l',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  ı: 'i',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
};
const EAST_ASIAN = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}';
const ONE_SCRIPT = new RegExp(`[${EAST_ASIAN}]+[*?]*|[^${EAST_ASIAN}]+`, 'gu');

/**
 * Splits at `between`, and where Chinese, Japanese or Korean letters meet others. An apostrophe is inside of a word: O'Neil is oneil.
 * Kana are hiragana of full width, whichever a console wrote.
 */
function splitWords(text: string, between: RegExp): readonly string[] {
  return fold(text.normalize('NFKC'))
    .replace(/['’`]/g, '')
    .replace(/[ァ-ヶ]/g, (kana) => String.fromCharCode(kana.charCodeAt(0) - 0x60))
    .replace(/[łøđðħıßæœþ]/g, (letter) => PLAIN[letter] ?? letter)
    .split(between)
    .flatMap((word) => word.match(ONE_SCRIPT) ?? []);
}

/** From each word on to the end, so that the beginning of a word or of a name written as one word is the beginning of a token. */
function addJoined(tokens: Set<string>, words: readonly string[]): void {
  const add = (text: string) => tokens.add(text.slice(0, TOKEN_CHARACTERS_MAX));
  for (let at = 0; at < words.length; at++) add(words.slice(at).join(''));
  const [family, given] = words;
  if (family !== undefined && given !== undefined) add(given + family);
}

function soundsOf(word: string): readonly string[] {
  if (!/^[a-z]{2,}$/.test(word)) return [];
  const codes = doubleMetaphone(word).filter((code) => code !== '');
  // One consonant alone says too little: Li and Lee sound alike, Wu and Yu do not.
  return [...new Set(codes)].map((code) => SOUND + (code.length > 1 ? code : code + word.charAt(0)).toLowerCase());
}

/** In full (`zhangwei`), by the first letters (`zw`), and with the family name alone in full (`zhangw`). */
function addReadings(tokens: Set<string>, words: readonly string[]): void {
  const characters: string[] = [];
  const starts = new Set<number>();
  for (const word of words) {
    const han = Array.from(word);
    if (!han.every(isHan)) continue;
    starts.add(characters.length);
    characters.push(...han);
  }
  if (characters.length === 0) return;
  // Without components, the given name begins after one or two characters.
  if (starts.size === 1) starts.add(1).add(2);
  const readings = characters.slice(0, HAN_CHARACTERS_MAX).map(readingsOf);
  for (const start of starts) {
    if (start < characters.length) tokens.add(characters.slice(start).join('').slice(0, TOKEN_CHARACTERS_MAX));
    const part = readings.slice(start).filter((each) => each.length > 0);
    if (part.length === 0) continue;
    const initials = part.map((each) => [...new Set(each.map((one) => one.charAt(0)))]);
    const ways = [...combined(part), ...combined(initials)];
    if (start === 0) {
      for (const family of [1, 2]) ways.push(...combined([...part.slice(0, family), ...initials.slice(family)]));
    }
    for (const way of ways) tokens.add(way.slice(0, TOKEN_CHARACTERS_MAX));
  }
}

/** One choice of each, joined; the first choices first, at most READINGS_MAX. */
function combined(choices: readonly (readonly string[])[]): readonly string[] {
  let ways = [''];
  for (const choice of choices) {
    // The first choice of every way before the second of any: what is cut off is the least likely.
    ways = choice.flatMap((one) => ways.map((way) => way + one)).slice(0, READINGS_MAX);
  }
  return ways;
}
