// WADO-RS Retrieve Thumbnail (PS3.18 10.4.1.1.4): one small image for a study, series, instance or frame. Whatever is there has one: Weasis
// switches thumbnails off for its session at the first 404, 405 or 501, so what has no picture gets a drawn one.

import { textOf } from '../../dicom/json/json-object.js';
import { frameCount } from '../../dicom/layout.js';
import { type PlaceholderKind, placeholderFrame } from '../../dicom/render/placeholder.js';
import type { RenderedType } from '../../dicom/render/types.js';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import type { InstanceRecord, Scope } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { sendSinglePart } from '../answer/single-part.js';
import type { Exchange } from '../exchange.js';
import { instanceJson } from '../instances/instance-json.js';
import { openScope } from '../instances/instance-parts.js';
import { instanceLocation } from '../instances/locations.js';
import type { OpenInstance } from '../instances/open-instance.js';
import { HttpProblem } from '../problem.js';
import { parseFrameList } from '../retrieve/frames.js';
import { documentType, isReport } from './documents.js';
import { PLAIN, type RenderParameters, renderParameters } from './render-parameters.js';
import { sendImage, sendImages } from './rendered.js';
import { representativeFrame } from './rendered-frame.js';
import { IMAGE_TYPES, negotiateRendered } from './rendered-media.js';

/** Pixels of a side where none is asked for. */
const EDGE = 128;
/** A study's series that are looked at for one with images. */
const SERIES_TRIED_MAX = 64;

/** The middle instance of each series in reading order: of all, or of the first ones. */
async function middles(exchange: Exchange, scope: Scope): Promise<readonly InstanceRecord[]> {
  const found: InstanceRecord[] = [];
  let series: InstanceRecord[] = [];
  const close = () => {
    const middle = series[Math.floor(series.length / 2)];
    if (middle !== undefined) found.push(middle);
    series = [];
  };
  for await (const record of exchange.services.archive.instances(scope)) {
    exchange.signal.throwIfAborted();
    if (series[0] !== undefined && series[0].series !== record.series) close();
    if (found.length >= SERIES_TRIED_MAX) break;
    // Of a series without end the middle of what was held is as good.
    if (series.length < exchange.services.limits.heldInstancesMax) series.push(record);
  }
  close();
  if (found.length > 0) return found;
  throw new ArchiveError('NOT_FOUND', `this archive has no such ${scope.series === undefined ? 'study' : 'series'}`);
}

function hasPicture({ layout, record }: OpenInstance): boolean {
  return frameCount(layout) > 0 && transferSyntaxOf(record.transferSyntax)?.video !== true;
}

/** The instance that stands for the scope: itself, the middle of its series, or of the study's first series with images. */
async function representative(exchange: Exchange, scope: Scope): Promise<OpenInstance> {
  const { study, series, sop } = scope;
  if (series !== undefined && sop !== undefined)
    return await openScope(exchange.services.archive, { study, series, sop });
  let first: OpenInstance | undefined;
  for (const record of await middles(exchange, scope)) {
    const instance = await openScope(exchange.services.archive, {
      study: record.study,
      series: record.series,
      sop: record.sop,
    });
    if (hasPicture(instance)) return instance;
    first ??= instance;
  }
  if (first === undefined) throw new ArchiveError('NOT_FOUND', 'it was deleted meanwhile');
  return first;
}

function kindOf({ record, layout }: OpenInstance): PlaceholderKind {
  if (transferSyntaxOf(record.transferSyntax)?.video === true && layout.pixels !== null) return 'video';
  if (isReport(record) || documentType(record) !== undefined) return 'document';
  return record.sopClass.startsWith('1.2.840.10008.5.1.4.1.1.9.') ? 'waveform' : 'other';
}

async function sendPlaceholder(
  exchange: Exchange,
  instance: OpenInstance,
  type: RenderedType,
  viewport: NonNullable<RenderParameters['viewport']>,
): Promise<void> {
  const { archive, pixels: workers } = exchange.services;
  if (workers === null) throw new HttpProblem(406, 'this server renders nothing');
  const json = await instanceJson(archive, instance.record);
  const kind = kindOf(instance);
  const label = textOf(json, '00080060')?.slice(0, 16) ?? 'DICOM';
  const look = {
    modality: null,
    voi: { center: 127.5, width: 255, shape: 'LINEAR_EXACT' },
    palette: null,
    inverse: false,
    padding: null,
    aspect: 1,
  } as const;
  const request = {
    mediaType: type,
    quality: null,
    window: null,
    viewport: { ...viewport, source: null },
    profile: null,
    annotation: { patient: [label], technique: [] },
  };
  await sendSinglePart(exchange, {
    contentType: type,
    location: `${instanceLocation(exchange.linkRoot, instance.record)}/thumbnail`,
    etag: `W/"${instance.record.sha256}/p${kind}-${viewport.width}x${viewport.height}-${type}"`,
    segments: async () => [(await workers.render(placeholderFrame(kind), look, request, exchange.signal)).bytes],
  });
}

/**
 * GET of a thumbnail: JPEG of 128 pixels a side unless `accept` and `viewport` say otherwise. 404 only when the study, series, instance or
 * frame itself is not there.
 */
export async function retrieveThumbnail(exchange: Exchange, scope: Scope): Promise<void> {
  const { rest } = exchange.target;
  const frames = rest === '' ? null : parseFrameList(rest, 1);
  const asked = renderParameters(exchange.query);
  const viewport = asked.viewport ?? { width: EDGE, height: EDGE };
  // A thumbnail has no parameters but its size (PS3.18 table 10.4.1-4): many share one.
  const parameters = { ...PLAIN, viewport };
  const { type, wrap } = negotiateRendered(exchange.accept, IMAGE_TYPES, 'one');
  const instance = await representative(exchange, scope);
  if (!hasPicture(instance)) {
    await sendPlaceholder(exchange, instance, type, viewport);
    return;
  }
  const json = await instanceJson(exchange.services.archive, instance.record);
  const frame = frames?.[0] ?? representativeFrame(instance, json, 'thumbnail');
  const count = frameCount(instance.layout);
  if (frame > count) throw new ArchiveError('NOT_FOUND', `the instance has ${count} frames, and no frame ${frame}`);
  const image = { instance, json, frame, type, parameters, purpose: 'thumbnail' } as const;
  try {
    if (wrap === 'multipart') {
      await sendImages(
        exchange,
        type,
        parameters,
        (async function* () {
          yield image;
        })(),
      );
      return;
    }
    await sendImage(exchange, image, `${instanceLocation(exchange.linkRoot, instance.record)}/thumbnail`);
  } catch (error) {
    // What no codec here can decode has no picture either.
    if (!(error instanceof HttpProblem) || error.status !== 406) throw error;
    await sendPlaceholder(exchange, instance, type, viewport);
  }
}
