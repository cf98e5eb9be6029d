// QIDO-RS (PS3.18 10.6): search for studies, series and instances. The index answers; this file adds what only the
// web surface knows (RetrieveURL) and says when there is more than was given.
import type { OutgoingHttpHeaders } from 'node:http';
import type { QueryPage, QueryRow } from '../../tiering/archive/archive.js';
import { drawBoundary, multipartStream, multipartType, type OutgoingPart } from '../answer/multipart-writer.js';
import { sendAnswer, sendEmpty, sendText } from '../answer/send.js';
import { xmlDocument } from '../answer/xml.js';
import type { Exchange } from '../exchange.js';
import { DICOM_XML, negotiateDataSets } from '../negotiation/data-set-type.js';
import { type ParsedQuery, parseQuery, type QueryLevel } from './query-parameters.js';

function retrieveUrl(row: QueryRow, root: string): string {
  const study = `${root}/studies/${row.study}`;
  if (row.series === null) return study;
  return row.sop === null ? `${study}/series/${row.series}` : `${study}/series/${row.series}/instances/${row.sop}`;
}

/** Put in as text: numbers keep the digits that they were written with, and nothing is parsed for it. */
function rowText({ attributes, retrieveUrlAt }: QueryRow, url: string): string {
  const member = `"00081190":{"vr":"UR","Value":[${JSON.stringify(url)}]},`;
  return attributes.slice(0, retrieveUrlAt) + member + attributes.slice(retrieveUrlAt);
}

/** Warnings of PS3.18 8.3.4 (RFC 7234 5.5): what was left out, and that there is more. */
function warningOf(page: QueryPage, { spec, limitIsOurs, unknown }: ParsedQuery): OutgoingHttpHeaders {
  const warnings: string[] = [];
  if (unknown.length > 0) {
    // Only what is shaped like a name may go into a header.
    const names = unknown.filter((name) => /^[\w.]{1,64}$/.test(name)).slice(0, NAMES_SHOWN_MAX);
    const shown = names.length === 0 ? '' : `: ${names.join(', ')}`;
    warnings.push(`${unknown.length} parameters or fields name no attribute and were left out${shown}`);
  }
  if (page.more && (limitIsOurs || page.rows.length < spec.limit)) {
    const given = page.rows.length;
    warnings.push(`There are more results than the ${given} given; ask for the rest with limit and offset`);
  }
  if (page.provisional !== undefined) warnings.push(`provisional: ${page.provisional}`);
  return warnings.length === 0 ? {} : { Warning: warnings.map((text) => `299 filmroom "${text}"`).join(', ') };
}

const NAMES_SHOWN_MAX = 10;

async function sendXml(
  exchange: Exchange,
  headers: OutgoingHttpHeaders,
  rows: readonly QueryRow[],
  root: string,
): Promise<void> {
  const boundary = drawBoundary(exchange.services.random);
  async function* parts(): AsyncGenerator<OutgoingPart, void, void> {
    for (const row of rows) {
      exchange.signal.throwIfAborted();
      const location = retrieveUrl(row, root);
      const bytes = Buffer.from(await xmlDocument(rowText(row, location)));
      const open = async function* (start: number, end: number) {
        yield bytes.subarray(start, end);
      };
      yield { contentType: DICOM_XML, location, content: [{ length: bytes.length, open }] };
    }
  }
  await sendAnswer(exchange, {
    status: 200,
    headers: { ...headers, 'Content-Type': multipartType(DICOM_XML, boundary) },
    length: null,
    segments: multipartStream(parts(), boundary),
  });
}

/**
 * GET of a search resource: 200 with an array, 204 when nothing matches or the page lies behind the last row (8.3.4.4), 400 for a
 * bad query, 413 for one that cannot be answered in its time. `X-Total-Count`: how many match in all, where that is quickly said.
 */
export async function search(exchange: Exchange, level: QueryLevel): Promise<void> {
  const { services, target } = exchange;
  const type = negotiateDataSets(exchange.accept, 'search results are');
  const parsed = parseQuery(level, target.scope, exchange.query, services.limits);
  const page = await services.archive.query({ ...parsed.spec, count: true }, exchange.signal);
  const headers = {
    ...warningOf(page, parsed),
    ...(page.total === undefined ? {} : { 'X-Total-Count': String(page.total) }),
  };
  if (page.rows.length === 0) {
    sendEmpty(exchange, 204, headers);
    return;
  }
  const root = exchange.absoluteRoot;
  if (type === DICOM_XML) {
    await sendXml(exchange, headers, page.rows, root);
    return;
  }
  const body = `[${page.rows.map((row) => rowText(row, retrieveUrl(row, root))).join(',')}]`;
  sendText(exchange, 200, { ...headers, 'Content-Type': type }, body);
}
