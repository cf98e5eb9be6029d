import { describe, expect, it } from 'vitest';
import { implicitVr, keywordOf, tagOfKeyword, vrOf } from './dictionary.js';

describe('the data dictionary', () => {
  it.each([
    ['00100010', 'PatientName', 'PN'],
    ['0020000D', 'StudyInstanceUID', 'UI'],
    ['00081199', 'ReferencedSOPSequence', 'SQ'],
    ['7FE00010', 'PixelData', 'OW'],
    ['00280106', 'SmallestImagePixelValue', 'US'],
    ['60003000', 'OverlayData', 'OW'],
    ['60023000', 'OverlayData', 'OW'],
  ])('knows %s as %s with VR %s', (tag, keyword, vr) => {
    expect([keywordOf(tag), vrOf(tag)]).toEqual([keyword, vr]);
  });

  it('finds tags by keyword, retired ones included', () => {
    expect(tagOfKeyword('PatientName')).toBe('00100010');
    expect(tagOfKeyword('OtherPatientIDs')).toBe('00101000');
  });

  it('takes tags in either case', () => {
    expect(vrOf('0020000d')).toBe('UI');
  });

  it.each(['', 'PatientName', '0010001', '001000100', '0010001G', '(0010,0010)'])('knows no VR of %j', (text) => {
    expect([vrOf(text), keywordOf(text)]).toEqual([undefined, undefined]);
  });

  it('knows nothing of private attributes but their creators', () => {
    expect([vrOf('00291010'), vrOf('00290010'), keywordOf('00291010')]).toEqual([undefined, 'LO', undefined]);
  });

  it('lets Pixel Representation decide between US and SS', () => {
    expect([implicitVr(0x00280106, false), implicitVr(0x00280106, true)]).toEqual(['US', 'SS']);
  });
});
