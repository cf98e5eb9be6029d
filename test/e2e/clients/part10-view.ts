// What is in a Part 10 file, as dicom-parser reads it: a second opinion beside the product's own parser.
import dicomParser from 'dicom-parser';

/** The transfer syntax that its file meta information names. */
export function transferSyntaxIn(file: Uint8Array): string {
  return dicomParser.parseDicom(file, { untilTag: 'x00020010' }).string('x00020010') ?? '';
}

/** The value of native Pixel Data; throws for encapsulated. */
export function nativePixelsOf(file: Uint8Array): Buffer {
  const pixels = dicomParser.parseDicom(file).elements['x7fe00010'];
  if (pixels === undefined || pixels.encapsulatedPixelData === true) throw new Error('no native pixel data');
  return Buffer.from(file.subarray(pixels.dataOffset, pixels.dataOffset + pixels.length));
}
