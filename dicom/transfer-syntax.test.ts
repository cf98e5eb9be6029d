import { describe, expect, it } from 'vitest';
import { isUid } from '../tiering/core/ids.js';
import { TRANSFER_SYNTAXES, transferSyntaxOf } from './transfer-syntax.js';

describe('the table of transfer syntaxes', () => {
  it('has each once, under a UID, with a media type', () => {
    expect(new Set(TRANSFER_SYNTAXES.map(({ uid }) => uid)).size).toBe(TRANSFER_SYNTAXES.length);
    for (const { uid, mediaType } of TRANSFER_SYNTAXES) {
      expect(isUid(uid)).toBe(true);
      expect(mediaType).toMatch(/^(?:application|image|video)\/[a-z0-9-]+$/);
    }
  });

  it('has no encapsulated one in implicit VR, big endian or deflated as a whole (PS3.5 A.4)', () => {
    for (const one of TRANSFER_SYNTAXES.filter(({ encapsulated }) => encapsulated)) {
      expect([one.uid, one.explicit, one.bigEndian, one.deflated]).toEqual([one.uid, true, false, false]);
    }
  });

  it.each([
    ['1.2.840.10008.1.2.4.50', 'image/jpeg'],
    ['1.2.840.10008.1.2.4.80', 'image/jls'],
    ['1.2.840.10008.1.2.4.90', 'image/jp2'],
    ['1.2.840.10008.1.2.4.201', 'image/jphc'],
    ['1.2.840.10008.1.2.5', 'image/dicom-rle'],
    ['1.2.840.10008.1.2.4.102', 'video/mp4'],
    ['1.2.840.10008.1.2.1', 'application/octet-stream'],
  ])('sends frames of %s as %s', (uid, mediaType) => {
    expect(transferSyntaxOf(uid)?.mediaType).toBe(mediaType);
  });

  it.each(['', '1.2.840.10008.1.2.9', '__proto__', '1.2.840.113619.5.2'])('does not know %j', (uid) => {
    expect(transferSyntaxOf(uid)).toBeUndefined();
  });
});
