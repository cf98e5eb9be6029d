// Native DICOM Model XML for answers (PS3.18 8.7.3.4, Annex F is its JSON twin).
import { nativeXml } from '../../dicom/xml/xml-writer.js';
import { inTurns } from './turns.js';

/** The XML document of one PS3.18 JSON object: what a part of `multipart/related; type="application/dicom+xml"` holds. */
export async function xmlDocument(json: string): Promise<string> {
  let text = '';
  await inTurns(nativeXml(json), (piece) => {
    text += piece;
  });
  return text;
}
