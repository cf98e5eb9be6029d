// Text to bytes in the character sets that phantoms use. Node decodes GB18030 and encodes only UTF-8,
// so the two-byte part of it is turned round here, from the decoder's own table.
import { ArchiveError } from '../../tiering/core/errors.js';

/** Values of (0008,0005) that phantoms are written in; '' is the default repertoire, ASCII. */
export type PhantomCharset = '' | 'ISO_IR 100' | 'ISO_IR 192' | 'GB18030';

let twoByteCodes: ReadonlyMap<string, number> | undefined;

function gbCodes(): ReadonlyMap<string, number> {
  if (twoByteCodes !== undefined) return twoByteCodes;
  const decoder = new TextDecoder('gb18030');
  const codes = new Map<string, number>();
  for (let lead = 0x81; lead <= 0xfe; lead += 1) {
    for (let trail = 0x40; trail <= 0xfe; trail += 1) {
      if (trail === 0x7f) continue;
      const text = decoder.decode(Uint8Array.of(lead, trail));
      // Two characters mean that the pair is none, and each half was read by itself.
      const single = text.length === 1 || (text.length === 2 && (text.codePointAt(0) ?? 0) > 0xffff);
      if (single && text !== '\ufffd') codes.set(text, (lead << 8) | trail);
    }
  }
  twoByteCodes = codes;
  return codes;
}

function encodeGb(text: string): Buffer {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const code = point < 0x80 ? point : gbCodes().get(character);
    if (code === undefined) throw unfit(character, 'the two-byte part of GB18030');
    if (code > 0xff) bytes.push(code >> 8);
    bytes.push(code & 0xff);
  }
  return Buffer.from(bytes);
}

/** `text` in `charset`. INVALID for a character that it does not have. */
export function encodeText(text: string, charset: PhantomCharset): Buffer {
  switch (charset) {
    case 'ISO_IR 192':
      return Buffer.from(text, 'utf8');
    case 'GB18030':
      return encodeGb(text);
    case 'ISO_IR 100':
    case '': {
      const highest = charset === '' ? 0x7f : 0xff;
      for (const character of text) if ((character.codePointAt(0) ?? 0) > highest) throw unfit(character, charset);
      return Buffer.from(text, 'latin1');
    }
  }
}

function unfit(character: string, charset: string): ArchiveError {
  const point = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return new ArchiveError('INVALID', `U+${point} is not in ${charset === '' ? 'the default repertoire' : charset}`);
}
