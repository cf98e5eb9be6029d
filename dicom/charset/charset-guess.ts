// Recognises bytes whose label cannot be right: UTF-8 and GBK under "Latin-1" or under no label at all, as many
// Chinese systems write them. Errs on the side of the label: European names must never turn into hanzi.

/**
 * Whether `bytes` are valid UTF-8 with at least one multi-byte character. In Latin-1 such text would be letters
 * with signs between them (`Ã¤`), which no name is.
 */
export function isUtf8WithMultibyte(bytes: Uint8Array): boolean {
  let multibyte = false;
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] as number;
    if (lead < 0x80) {
      at++;
      continue;
    }
    const more =
      lead >= 0xc2 && lead <= 0xdf ? 1 : lead >= 0xe0 && lead <= 0xef ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
    if (more === 0 || !isUtf8Tail(bytes, at, more)) return false;
    multibyte = true;
    at += more + 1;
  }
  return multibyte;
}

/** RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
function isUtf8Tail(bytes: Uint8Array, at: number, more: number): boolean {
  const lead = bytes[at] as number;
  for (let next = 1; next <= more; next++) {
    const byte = bytes[at + next] ?? 0;
    const low = next > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = next > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (byte < low || byte > high) return false;
  }
  return true;
}

/**
 * Whether `bytes` can hardly be anything but GBK: every high byte is half of a pair, there are two pairs or more, half of them among the 3,755
 * common hanzi of GB 2312, and each run of pairs either stands alone (no Latin letter touches it) or is two hanzi or more. `Größe`
 * and `Ünïcödé` fail; `ÕÅ^ÈýÇ¿` passes.
 */
export function isPlausibleGbk(bytes: Uint8Array): boolean {
  let pairs = 0;
  let frequent = 0;
  for (let at = 0; at < bytes.length; ) {
    if ((bytes[at] as number) < 0x80) {
      at++;
      continue;
    }
    const start = at;
    let hanzi = 0;
    while (at < bytes.length && (bytes[at] as number) >= 0x80) {
      const lead = bytes[at] as number;
      const trail = bytes[at + 1] ?? 0;
      if (lead < 0x81 || lead > 0xfe || trail < 0x40 || trail === 0x7f || trail > 0xfe) return false;
      if (lead >= 0xb0 && lead <= 0xf7 && trail >= 0xa1) hanzi++;
      if (lead >= 0xb0 && lead <= 0xd7 && trail >= 0xa1) frequent++;
      at += 2;
    }
    const count = (at - start) / 2;
    const touches = isLetter(bytes[start - 1] ?? 0) || isLetter(bytes[at] ?? 0);
    if (touches && (count < 2 || hanzi < count)) return false;
    pairs += count;
  }
  return pairs > 1 && frequent * 2 >= pairs;
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}
