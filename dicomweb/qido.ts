// QIDO-RS (PS3.18 10.6): search for studies, series and instances. The index answers; this file adds what only the
// web surface knows (RetrieveURL) and says when there is more than was given.
import type { QueryRow } from '../tiering/archive/archive.js';
import { covers, type MediaRange } from './accept.js';
import type { Exchange } from './exchange.js';
import { spliceAttributes } from './json-splice.js';
import { HttpProblem } from './problem.js';
import { parseQuery, type QueryLevel } from './query-parameters.js';
import { sendEmpty, sendText } from './send.js';

const DICOM_JSON = 'application/dicom+json';

/** The JSON media type to answer with, bare: clients compare it by equality. 406 when none is accepted. */
export function negotiateJson(accept: readonly MediaRange[]): string {
  for (const range of accept) {
    if (covers(range.type, DICOM_JSON)) return DICOM_JSON;
    if (covers(range.type, 'application/json')) return 'application/json';
  }
  throw new HttpProblem(406, `none of the accepted types can be given: ask for ${DICOM_JSON} or application/json`);
}

function retrieveUrl(row: QueryRow, root: string): string {
  const study = `${root}/studies/${row.study}`;
  if (row.series === null) return study;
  return row.sop === null ? `${study}/series/${row.series}` : `${study}/series/${row.series}/instances/${row.sop}`;
}

function rowText(row: QueryRow, root: string): string {
  return spliceAttributes(row.attributes, [
    ['00080056', `{"vr":"CS","Value":["${row.online ? 'ONLINE' : 'NEARLINE'}"]}`],
    ['00081190', `{"vr":"UR","Value":[${JSON.stringify(retrieveUrl(row, root))}]}`],
  ]);
}

/** GET of a search resource: 200 with a JSON array, 204 when nothing matches (8.3.4.4 and 10.6.3.1), 400 for a bad query. */
export async function search(exchange: Exchange, level: QueryLevel): Promise<void> {
  const { services, target } = exchange;
  const type = negotiateJson(exchange.accept);
  const { spec, limitIsOurs } = parseQuery(level, target.scope, exchange.query, services.limits);
  const page = spec.limit === 0 ? { rows: [], more: false } : await services.archive.query(spec, exchange.signal);
  if (page.rows.length === 0) {
    sendEmpty(exchange, 204, {});
    return;
  }
  const root = exchange.absoluteRoot;
  const body = `[${page.rows.map((row) => rowText(row, root)).join(',')}]`;
  const warning =
    page.more && limitIsOurs
      ? {
          Warning: `299 filmroom "There are more results than the ${page.rows.length} given; ask for the rest with limit and offset"`,
        }
      : {};
  sendText(exchange, 200, { 'Content-Type': type, ...warning }, body);
}
