// Big endian values turned little endian (PS3.5 7.3): word by word, where a value comes in pieces too.

/** Turns every whole word of `unit` bytes (2, 4 or 8) of `bytes` round; what is less than a word at the end stays. Returns `bytes`. */
export function swapInPlace(bytes: Buffer, unit: number): Buffer {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % unit));
  if (unit === 2) whole.swap16();
  else if (unit === 4) whole.swap32();
  else if (unit === 8) whole.swap64();
  return bytes;
}
