// How data sets go out that are answers of their own, metadata and search results (PS3.18 8.7.3.2): one JSON array, or each as
// an XML document in a part of its own.

import { HttpProblem } from '../problem.js';
import { covers, type MediaRange, wantedItem } from './accept.js';

const DICOM_JSON = 'application/dicom+json';
export const DICOM_XML = 'application/dicom+xml';

/** The type to answer with, bare: clients compare it by equality. 406 when none is accepted; `what` is for its text. */
export function negotiateDataSets(accept: readonly MediaRange[], what: string): string {
  for (const range of accept) {
    const wanted = wantedItem(range);
    if (wanted.wrap === 'multipart') {
      if (covers(wanted.type, DICOM_XML)) return DICOM_XML;
      // Not in the tables, and sent all the same: JSON is one array and never in parts.
      if (wanted.type === DICOM_JSON) return DICOM_JSON;
      continue;
    }
    for (const type of [DICOM_JSON, 'application/json']) if (covers(wanted.type, type)) return type;
  }
  const available = [DICOM_JSON, 'application/json', `multipart/related; type="${DICOM_XML}"`];
  throw new HttpProblem(406, `${what} given as ${available.join(', ')}`, { available });
}
