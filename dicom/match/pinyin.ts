// How Chinese characters are read aloud in Latin letters, without tones: every reading of a character, since a family name is
// often read otherwise than the same character elsewhere (单 Shan, 曾 Zeng, 仇 Qiu).
import { createRequire } from 'node:module';
import type * as PinyinPro from 'pinyin-pro';

/** Its table costs 16 MB in each thread that loads it, so only a thread that meets a Chinese name does. The package is CommonJS. */
let library: typeof PinyinPro | undefined;

const known = new Map<string, readonly string[]>();
const KNOWN_MAX = 20_000;
const READINGS_MAX = 6;

export function isHan(character: string): boolean {
  return /^\p{Script=Han}$/u.test(character);
}

/** The readings of one Han character, commonest first: `['lu', 'lv']`. Empty for a character that the table lacks. */
export function readingsOf(character: string): readonly string[] {
  const before = known.get(character);
  if (before !== undefined) return before;
  library ??= createRequire(import.meta.url)('pinyin-pro') as typeof PinyinPro;
  const found = library.pinyin(character, { multiple: true, toneType: 'none', type: 'array' });
  // People type u, v or yu for the vowel that pinyin writes with two dots; passports have yu.
  const spelt = found.flatMap((one) => (one.includes('ü') ? ['u', 'v', 'yu'].map((u) => one.replace('ü', u)) : [one]));
  const readings = [...new Set(spelt)].filter((one) => /^[a-z]+$/.test(one)).slice(0, READINGS_MAX);
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(character, readings);
  return readings;
}
