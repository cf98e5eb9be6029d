// Text in XML 1.0: what has to be escaped, and what XML cannot say at all.

/** The namespace of PS3.19 A.1.6. */
export const NATIVE_DICOM = 'http://dicom.nema.org/PS3.19/models/NativeDICOM';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // Raw, these would reach the reader as a line feed or a space.
  '\r': '&#13;',
  '\n': '&#10;',
  '\t': '&#9;',
};
/** Control characters, lone surrogates and the two code points that are none. */
const SUSPECT = /[\p{Cc}\p{Cs}\ufffe\uffff]/gu;
const SPECIAL = /[&<>"\r\n\t]/;

/** XML 1.0, production Char: whether it can be said at all, of a code unit that SUSPECT found. */
function isChar(code: number): boolean {
  return code === 0x09 || code === 0x0a || code === 0x0d || (code >= 0x7f && code <= 0x9f);
}

/** `text` as content or as an attribute's value. Control characters and lone surrogates, which XML cannot hold, become U+FFFD. */
export function xmlText(text: string): string {
  const possible = text.replace(SUSPECT, (char) => (isChar(char.charCodeAt(0)) ? char : '\ufffd'));
  return SPECIAL.test(possible) ? possible.replace(/[&<>"\r\n\t]/g, (char) => ESCAPES[char] ?? char) : possible;
}
