// WADO-URI (PS3.18 9): one instance or frame, everything in the query. Only a translation: what is found, decoded and rendered is the
// same as for WADO-RS.
import { frameCount } from '../../dicom/layout.js';
import { EXPLICIT_LITTLE, transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import type { Scope } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { isUid, parseSeriesUid, parseSopUid, parseStudyUid } from '../../tiering/core/ids.js';
import { Exchange } from '../exchange.js';
import { openScope } from '../instances/instance-parts.js';
import type { OpenInstance } from '../instances/open-instance.js';
import { covers, type MediaRange, parseAccept } from '../negotiation/accept.js';
import { HttpProblem } from '../problem.js';
import { retrieveInstances } from '../retrieve/retrieve.js';
import { isReport } from './documents.js';
import {
  annotationValues,
  decimal,
  edge,
  PLAIN,
  quality,
  RENDERED_EDGE_MAX,
  type Region,
  type RenderParameters,
  windowOf,
} from './render-parameters.js';
import { sendInstance } from './rendered.js';

const DICOM = 'application/dicom';

function refuse(what: string): never {
  throw new ArchiveError('INVALID', what);
}

function required(query: URLSearchParams, name: string): string {
  return query.get(name) ?? refuse(`the parameter ${name} is missing`);
}

/** The instance that a query names (9.1.2.1). INVALID when a UID is missing or is none. */
export function wadoUriScope(query: URLSearchParams): Required<Scope> {
  if (required(query, 'requestType') !== 'WADO') refuse('requestType is not WADO');
  return {
    study: parseStudyUid(required(query, 'studyUID')),
    series: parseSeriesUid(required(query, 'seriesUID')),
    sop: parseSopUid(required(query, 'objectUID')),
  };
}

/** 9.1.2.2.4: shares of the image from its top left corner. */
function regionParameter(text: string): Region {
  const parts = text.split(',').map((part) => decimal('region', part));
  const [left = 0, top = 0, right = 0, bottom = 0] = parts;
  const inside = [left, top, right, bottom].every((share) => share >= 0 && share <= 1);
  if (parts.length !== 4 || !inside || left >= right || top >= bottom) {
    refuse('region is not LEFT,TOP,RIGHT,BOTTOM as shares from 0 to 1 of the image');
  }
  return { unit: 'share', x: left, y: top, width: right - left, height: bottom - top, flop: false, flip: false };
}

/** The rendering that a query asks for (9.1.2.2). INVALID, naming the parameter. */
export function wadoUriParameters(query: URLSearchParams): RenderParameters {
  const [rows, columns, region, center, width, asked, annotation] = [
    'rows',
    'columns',
    'region',
    'windowCenter',
    'windowWidth',
    'imageQuality',
    'annotation',
  ].map((name) => query.get(name));
  if ((center == null) !== (width == null)) refuse('windowCenter and windowWidth are only given together');
  const sized = rows != null || columns != null;
  return {
    ...PLAIN,
    viewport: sized
      ? {
          width: columns == null ? RENDERED_EDGE_MAX : edge('columns', columns),
          height: rows == null ? RENDERED_EDGE_MAX : edge('rows', rows),
        }
      : null,
    region: region == null ? null : regionParameter(region),
    window:
      center == null || width == null
        ? null
        : windowOf(decimal('windowCenter', center), decimal('windowWidth', width), 'LINEAR'),
    quality: asked == null ? null : quality('imageQuality', asked),
    ...(annotation == null ? {} : annotationValues(annotation)),
  };
}

function refuseWhatIsNotOffered(query: URLSearchParams): void {
  if (query.has('anonymize') && query.get('anonymize') !== 'no') {
    throw new HttpProblem(
      406,
      'anonymize: instances are not de-identified here; retrieve them and do it where they go',
    );
  }
  if (query.has('presentationUID') || query.has('presentationSeriesUID')) {
    throw new HttpProblem(406, 'presentationUID: presentation states are not applied; ask without it');
  }
  const charset = query.get('charset');
  const wanted = charset?.split(',').map((each) => each.split(';')[0]?.trim().toLowerCase());
  if (wanted !== undefined && !wanted.includes('utf-8') && !wanted.includes('*')) {
    throw new HttpProblem(406, 'charset: text is given in UTF-8 alone');
  }
}

/** 9.1.2.1.2: `contentType`, else Accept; without either single images are JPEG, reports HTML, and everything else as it is. */
function accepted(exchange: Exchange, query: URLSearchParams, instance: OpenInstance): readonly MediaRange[] {
  const { limits } = exchange.services;
  // A plus sign that nobody escaped arrives as a space.
  const asked = query.get('contentType')?.replaceAll(/(\w) (?=\w)/g, '$1+');
  const ranges = parseAccept(asked ?? exchange.req.headers.accept, limits.acceptRangesMax);
  if (ranges.some((range) => range.type !== '*/*')) return ranges;
  const { layout, record } = instance;
  if (frameCount(layout) === 1 && transferSyntaxOf(record.transferSyntax)?.video !== true)
    return parseAccept('image/jpeg', 1);
  if (layout.pixels === null && isReport(record)) return parseAccept('text/html', 1);
  return parseAccept(query.has('frameNumber') ? 'image/jpeg' : DICOM, 1);
}

/** Whether the instance itself is wanted, rather than what can be seen of it. */
function wantsInstance(accept: readonly MediaRange[]): boolean {
  const [best] = accept;
  return best !== undefined && best.type !== '*/*' && covers(best.type, DICOM);
}

/** The instance by the way of WADO-RS: Explicit VR Little Endian unless `transferSyntax` says otherwise (9.1.2.2.11). */
async function sendPart10(exchange: Exchange, query: URLSearchParams, scope: Scope): Promise<void> {
  if (query.has('frameNumber')) refuse('frameNumber is not for application/dicom');
  const syntax = query.get('transferSyntax') ?? EXPLICIT_LITTLE;
  // dicomweb-client asks for `*` unless it is told otherwise: as stored, as in WADO-RS.
  if (syntax !== '*' && !isUid(syntax)) refuse('transferSyntax is not a UID');
  const accept = encodeURIComponent(`${DICOM};transfer-syntax=${syntax}`);
  const { req, res, services } = exchange;
  const target = { resource: 'instance', scope, rest: '' } as const;
  await retrieveInstances(new Exchange(req, res, services, target, `accept=${accept}`), scope);
}

/** GET of /wado. 400 for parameters that are missing or wrong, 404 for an instance or frame that is not there, 406 for what is not offered. */
export async function retrieveWadoUri(exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const scope = wadoUriScope(query);
  const parameters = wadoUriParameters(query);
  refuseWhatIsNotOffered(query);
  const number = query.get('frameNumber');
  if (number !== null && !/^[1-9]\d{0,8}$/.test(number)) refuse('frameNumber is not a number from 1');
  const instance = await openScope(exchange.services.archive, scope);
  const accept = accepted(exchange, query, instance);
  if (wantsInstance(accept)) {
    await sendPart10(exchange, query, scope);
    return;
  }
  await sendInstance(exchange, instance, { accept, parameters, frames: number === null ? null : [Number(number)] });
}
