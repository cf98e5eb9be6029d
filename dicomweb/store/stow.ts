// STOW-RS (PS3.18 10.5): instances as application/dicom, or as metadata in JSON or XML with their bulk data. Each is handed to the
// archive as it comes and pipelines there; what was stored stays stored whatever becomes of the rest of the request.
import type { StoreOutcome } from '../../tiering/archive/archive.js';
import { ArchiveError, hasCode } from '../../tiering/core/errors.js';
import { sendEarly } from '../answer/send.js';
import { xmlDocument } from '../answer/xml.js';
import type { Exchange } from '../exchange.js';
import { covers, parseMediaType } from '../negotiation/accept.js';
import { FAILURE, failureReason, HttpProblem, warningReason } from '../problem.js';
import { parseBoundary, readParts } from './multipart-reader.js';
import { linger, requestBody } from './request-body.js';
import { type FailedItem, type StoredItem, type StoreResponse, storeResponseJson } from './store-response.js';
import { Intake } from './stow-intake.js';
import { MetadataStore } from './stow-metadata.js';

const DICOM = 'application/dicom';
const DICOM_JSON = 'application/dicom+json';
const DICOM_XML = 'application/dicom+xml';

interface Received {
  readonly outcomes: readonly StoreOutcome[];
  /** What ended the request early: a malformed tail, a slow or vanished sender, storage that takes nothing more. */
  readonly failure: unknown;
}

/** What a body holds: the media type of its instances, and the boundary of its parts. */
interface BodyKind {
  readonly type: string;
  /** null: one body without parts. */
  readonly boundary: string | null;
  /** The transfer-syntax parameter of a single body. */
  readonly syntax: string | null;
}

/** PS3.18 table 10.5.2-1, and the names under which clients send the same. */
const TYPES: ReadonlyMap<string, string> = new Map([
  [DICOM, DICOM],
  [DICOM_JSON, DICOM_JSON],
  ['application/json', DICOM_JSON],
  [DICOM_XML, DICOM_XML],
]);

/** How to read the body. 415 for what is not stored. */
function bodyKind(exchange: Exchange): BodyKind {
  const { headers } = exchange.req;
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity') {
    throw new HttpProblem(
      415,
      `Content-Encoding ${JSON.stringify(encoding.slice(0, 32))} is not taken: send the bytes as they are`,
    );
  }
  const { type, parameters } = parseMediaType(headers['content-type'] ?? '');
  const isMultipart = type === 'multipart/related';
  const inner = (isMultipart ? (parameters.get('type') ?? DICOM) : type).toLowerCase();
  const known = TYPES.get(inner);
  if (known === undefined) {
    throw new HttpProblem(
      415,
      `Content-Type ${JSON.stringify(inner.slice(0, 64))} is not taken: send application/dicom, application/dicom+json or application/dicom+xml, alone or in multipart/related`,
      {
        headers: {
          Accept: [...new Set(TYPES.values())]
            .flatMap((each) => [`multipart/related; type="${each}"`, each])
            .join(', '),
        },
      },
    );
  }
  return {
    type: known,
    boundary: isMultipart ? parseBoundary(parameters.get('boundary')) : null,
    syntax: parameters.get('transfer-syntax') ?? null,
  };
}

/** JSON unless only XML, or XML first, is accepted (Weasis). What else is asked for gets JSON: refusing after storing helps nobody. */
function responseType(exchange: Exchange): string {
  for (const range of exchange.accept) {
    if (range.type === DICOM_XML || range.type === 'application/xml' || range.type === 'text/xml') return DICOM_XML;
    if (covers(range.type, DICOM_JSON) || range.type === 'application/json') return DICOM_JSON;
  }
  return DICOM_JSON;
}

/** Takes everything that a body holds. Resolves when it is read; throws what ended it early. */
async function takeAll(
  exchange: Exchange,
  kind: BodyKind,
  body: AsyncIterable<Uint8Array>,
  intake: Intake,
): Promise<void> {
  const { limits } = exchange.services;
  if (kind.type === DICOM) {
    if (kind.boundary === null) await intake.take(body);
    // Part headers are looked at for nothing: a Content-Location is never fetched, a Content-Type never believed.
    else for await (const part of readParts(body, kind.boundary, limits)) await intake.take(part.body);
    return;
  }
  const store = new MetadataStore(exchange, intake, kind.type === DICOM_XML ? 'xml' : 'json');
  try {
    if (kind.boundary === null) await store.takeMetadata(body, kind.syntax);
    else for await (const part of readParts(body, kind.boundary, limits)) await store.takePart(part);
  } finally {
    await store.finish();
  }
}

async function receiveAll(exchange: Exchange, kind: BodyKind): Promise<Received> {
  const { clock, limits } = exchange.services;
  const intake = new Intake(exchange);
  const body = requestBody(exchange.req, clock, limits);
  let failure: unknown = null;
  try {
    await takeAll(exchange, kind, body, intake);
  } catch (error) {
    failure = error;
  } finally {
    await body.return();
  }
  return { outcomes: await intake.outcomes(), failure };
}

function storedItem(outcome: StoreOutcome & { readonly status: 'stored' | 'duplicate' }, root: string): StoredItem {
  const { study, series, sop, sopClass } = outcome.instance;
  return {
    sop,
    sopClass,
    retrieveUrl: `${root}/studies/${study}/series/${series}/instances/${sop}`,
    warning: outcome.warnings.length === 0 ? null : warningReason(outcome.warnings),
  };
}

function responseOf(exchange: Exchange, received: Received): StoreResponse {
  const root = exchange.absoluteRoot;
  const study = exchange.target.scope?.study;
  const stored: StoredItem[] = [];
  const failed: FailedItem[] = [];
  const studies = new Set<string>();
  for (const outcome of received.outcomes) {
    if (outcome.status === 'refused') {
      const { sopClass = null, sop = null } = outcome.instance;
      failed.push({ sopClass, sop, reason: failureReason(outcome, study), detail: outcome.detail });
    } else {
      stored.push(storedItem(outcome, root));
      studies.add(outcome.instance.study);
    }
  }
  if (received.failure !== null) {
    const detail =
      received.failure instanceof ArchiveError ? received.failure.message : 'an unexpected fault while storing';
    failed.push({
      sopClass: null,
      sop: null,
      reason: FAILURE.cannotUnderstand,
      detail: `the rest of the request: ${detail}`,
    });
  }
  const [only] = studies;
  return { studyUrl: studies.size === 1 && only !== undefined ? `${root}/studies/${only}` : null, stored, failed };
}

/**
 * PS3.18 10.5.3: 200 all stored and nothing odd, 202 some failed or were odd, 409 none stored. Where none was stored
 * because storage takes nothing just now, sending again later helps: 503.
 */
function statusOf(received: Received, response: StoreResponse): number {
  if (response.stored.length === 0) {
    const busy = received.outcomes.every(
      (each) => each.status === 'refused' && (each.code === 'FULL' || each.code === 'UNAVAILABLE'),
    );
    if (busy) throw new ArchiveError('UNAVAILABLE', 'nothing can be stored just now; send it again later');
    return 409;
  }
  return response.failed.length > 0 || response.stored.some((item) => item.warning !== null) ? 202 : 200;
}

/** What ends a request whatever was stored before: who asked is gone or too slow, or should send all of it again. */
function endsAll(error: unknown): boolean {
  return error !== null && !(hasCode(error, 'INVALID') || hasCode(error, 'LIMIT'));
}

/** POST to /studies or /studies/{study}. */
export async function store(exchange: Exchange): Promise<void> {
  const kind = bodyKind(exchange);
  const received = await receiveAll(exchange, kind);
  const { outcomes, failure } = received;
  // Sending again is always safe: what was stored is a success the second time.
  if (endsAll(failure)) throw failure;
  if (failure !== null && !outcomes.some((outcome) => outcome.status !== 'refused')) throw failure;
  // Never 200 with an empty sequence: a client would believe that something was stored.
  if (outcomes.length === 0) throw new ArchiveError('INVALID', 'the request holds no instance');
  const response = responseOf(exchange, received);
  const status = statusOf(received, response);
  const type = responseType(exchange);
  const json = storeResponseJson(response);
  const text = type === DICOM_XML ? await xmlDocument(json) : json;
  const { clock, limits } = exchange.services;
  await sendEarly(exchange.req, exchange.res, { status, headers: { 'Content-Type': type }, body: text }, () =>
    linger(exchange.req, clock, limits.lingerMs),
  );
}
