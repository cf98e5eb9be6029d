import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { characterSetOf } from './charset.js';
import { isPlausibleGbk, isUtf8WithMultibyte } from './charset-guess.js';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

function read(terms: readonly string[], bytes: Buffer, person = true): { text: string; read: string[] } {
  const said: string[] = [];
  const text = characterSetOf(terms).decode(bytes, person, (as) => said.push(as));
  return { text, read: said };
}

describe('Specific Character Set', () => {
  it('decodes GB18030 beyond the two-byte plane', () => {
    expect(read(['GB18030'], hex('c0ee5ecbc4 80 8139ee39')).text).toBe('李^四€㐀');
  });

  it('takes a trail byte of 0x5C for half of a character, not for a delimiter', () => {
    expect(read(['GB18030'], hex('41 5c 815c')).text).toBe('A\\乗');
  });

  it('keeps 0x85 of ISO_IR 100 what ISO 8859-1 says, not an ellipsis of windows-1252', () => {
    expect(read(['ISO_IR 100'], latin1('A\u0085\u00e9b')).text).toBe('A\u0085éb');
  });

  it('switches between kana and kanji', () => {
    const bytes = Buffer.concat([
      hex('d4cfc0de5ec0dbb3'),
      latin1('='),
      latin1('\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J'),
      latin1('=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J'),
    ]);
    expect(read(['ISO 2022 IR 13', 'ISO 2022 IR 87'], bytes).text).toBe('ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう');
  });

  it('reads JIS X 0212', () => {
    expect(read(['', 'ISO 2022 IR 159'], latin1('\x1b$(D0"\x1b(B')).text).toBe('丄');
  });

  it('takes 0x5E and 0x3D inside of kanji for halves of characters', () => {
    // 0x305E is ま-row kana in JIS X 0208 (0x24 0x5E: ま) and 0x3D 0x29 is 秋.
    expect(read(['', 'ISO 2022 IR 87'], latin1('\x1b$B$^=)\x1b(B^A')).text).toBe('ま秋^A');
  });

  it('reads Korean with its designation in every group, and without it after the first', () => {
    const group = '\x1b$)C\xfb\xf3';
    const withAll = read(['', 'ISO 2022 IR 149'], latin1(`Hong^Gildong=${group}^\x1b$)C\xd1\xce\xd4\xd7`)).text;
    const without = read(['', 'ISO 2022 IR 149'], latin1(`Hong^Gildong=${group}^\xd1\xce\xd4\xd7`)).text;
    expect(withAll).toBe('Hong^Gildong=洪^吉洞');
    expect(without).toBe(withAll);
  });

  it('switches between single-byte sets and back at a delimiter', () => {
    expect(read(['ISO 2022 IR 100', 'ISO 2022 IR 144'], latin1('\xe9\x1b-L\xb8\xd2\xd0\xdd^\xe9')).text).toBe(
      'éИван^é',
    );
  });

  it.each([
    ['ISO-IR 144', 'Чехов'],
    ['ISO IR 144', 'Чехов'],
    ['iso_ir 144', 'Чехов'],
    ['ISO_IR_144', 'Чехов'],
  ])('understands the spelling %s', (spelling, text) => {
    expect(read([spelling], hex('c7d5e5ded2')).text).toBe(text);
  });

  it('says of an unknown set that it is unknown, and still reads', () => {
    const set = characterSetOf(['ISO_IR 999']);
    expect(set.complaint).toMatch(/does not define/);
    expect(set.decode(latin1('A\xe9'), false, () => undefined)).toBe('Aé');
  });

  it.each([[[]], [['ISO_IR 100']], [['ISO_IR 6']]])('reads UTF-8 under the label %j, and says so', (terms) => {
    expect(read(terms, Buffer.from('王^小明'))).toEqual({ text: '王^小明', read: ['UTF-8'] });
  });

  it.each([
    ['Zhang^San=\xd5\xc5^\xc8\xfd', 'Zhang^San=张^三'],
    ['\xb1\xb1\xbe\xa9\xd0\xad\xba\xcd\xd2\xbd\xd4\xba', '北京协和医院'],
    ['\xd0\xd8\xb2\xbfCT\xc6\xbd\xc9\xa8', '胸部CT平扫'],
  ])('reads GBK under ISO_IR 100: %s', (bytes, text) => {
    expect(read(['ISO_IR 100'], latin1(bytes))).toEqual({ text, read: ['GBK'] });
  });

  it.each([
    'Größe^Ünïcödé',
    'Müller^Jürgen',
    'Buc^Jérôme',
    'Ångström^Åsa',
    'Nuñez^Íñigo',
    'O\u0092sullivan',
    '40°C',
    'éé',
    'ÄÖÜ',
  ])('leaves the European text %s alone', (text) => {
    expect(read(['ISO_IR 100'], latin1(text))).toEqual({ text, read: [] });
  });

  it('never throws and never makes a lone surrogate, whatever the bytes and the label', () => {
    const terms = fc.subarray(
      [
        '',
        'ISO_IR 100',
        'ISO 2022 IR 13',
        'ISO 2022 IR 87',
        'ISO 2022 IR 159',
        'ISO 2022 IR 149',
        'ISO 2022 IR 58',
        'GB18030',
        'ISO_IR 192',
        'x',
      ],
      { minLength: 0 },
    );
    const escapes = fc.constantFrom(
      ...['\x1b$B', '\x1b$)C', '\x1b(J', '\x1b)I', '\x1b-L', '\x1b', '^', '\\'].map(latin1),
    );
    const pieces = fc.array(
      fc.oneof(
        escapes,
        fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      ),
    );
    fc.assert(
      fc.property(terms, pieces, fc.boolean(), (labels, parts, person) => {
        const { text } = read(labels, Buffer.concat(parts), person);
        expect(Buffer.from(text).toString()).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives ASCII back under every set', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), (text) => {
        for (const term of [
          '',
          'ISO_IR 100',
          'ISO_IR 144',
          'ISO_IR 166',
          'ISO_IR 192',
          'GB18030',
          'GBK',
          'ISO_IR 13',
        ]) {
          expect(read([term], latin1(text)).text).toBe(text);
        }
      }),
    );
  });

  it('recognises exactly the valid UTF-8 that a strict decoder takes', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const valid = (bytes: Uint8Array): boolean => {
      try {
        return strict.decode(bytes).length >= 0;
      } catch {
        return false;
      }
    };
    const multibyte = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(multibyte, (bytes) => {
        expect(isUtf8WithMultibyte(bytes)).toBe(valid(bytes) && bytes.some((byte) => byte >= 0x80));
      }),
      { numRuns: 1500 },
    );
  });

  it('calls every run of common hanzi plausible GBK', () => {
    const pair = fc.tuple(fc.integer({ min: 0xb0, max: 0xd6 }), fc.integer({ min: 0xa1, max: 0xfe }));
    fc.assert(
      fc.property(fc.array(pair, { minLength: 2, maxLength: 12 }), (pairs) => {
        expect(isPlausibleGbk(Uint8Array.from(pairs.flat()))).toBe(true);
      }),
    );
  });
});
