// WADO-RS Retrieve Rendered (PS3.18 10.4.1.1.3): instances and frames as images, video, documents or pages; series and studies as a
// stream of images.
import type { DicomJson } from '../../dicom/json/json-object.js';
import { numberOf } from '../../dicom/json/json-object.js';
import { frameCount } from '../../dicom/layout.js';
import type { RenderedType } from '../../dicom/render/types.js';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import type { InstanceRecord, Scope } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { drawBoundary, multipartStream, multipartType, type OutgoingPart } from '../answer/multipart-writer.js';
import { sendAnswer } from '../answer/send.js';
import { sendSinglePart } from '../answer/single-part.js';
import type { Exchange } from '../exchange.js';
import { instanceJson } from '../instances/instance-json.js';
import { openInstance, openScope } from '../instances/instance-parts.js';
import { instanceLocation } from '../instances/locations.js';
import type { OpenInstance } from '../instances/open-instance.js';
import type { MediaRange } from '../negotiation/accept.js';
import { HttpProblem } from '../problem.js';
import { parseFrameList } from '../retrieve/frames.js';
import { documentType, isReport, sendDocument, sendReport, sendVideo } from './documents.js';
import { type RenderParameters, renderParameters } from './render-parameters.js';
import { imageTag, type RenderedImage, renderedFrame, representativeFrame } from './rendered-frame.js';
import { availableTypes, IMAGE_TYPES, negotiateRendered } from './rendered-media.js';

/** A warning of the standard's form for parameters that are known and not followed (8.3.5.1.1). */
function warnings({ ignored }: RenderParameters): Record<string, string> {
  return ignored.length === 0 ? {} : { Warning: `299 filmroom "not supported: ${ignored.join(', ')}"` };
}

/** Sends one image under its own entity tag. */
export async function sendImage(exchange: Exchange, image: RenderedImage, location: string): Promise<void> {
  await sendSinglePart(exchange, {
    contentType: image.type,
    location,
    etag: imageTag(image),
    segments: async () => [await renderedFrame(exchange, image)],
    headers: warnings(image.parameters),
  });
}

/** Sends images as they are made, one part each. What cannot be rendered is left out; 406 when nothing of it can be. */
export async function sendImages(
  exchange: Exchange,
  type: RenderedType,
  parameters: RenderParameters,
  images: AsyncIterable<RenderedImage>,
): Promise<void> {
  const boundary = drawBoundary(exchange.services.random);
  async function* parts(): AsyncGenerator<OutgoingPart, void, void> {
    let refused: HttpProblem | undefined;
    let any = false;
    for await (const image of images) {
      exchange.signal.throwIfAborted();
      let bytes: Uint8Array;
      try {
        bytes = await renderedFrame(exchange, image);
      } catch (error) {
        if (!(error instanceof HttpProblem) || error.status !== 406) throw error;
        refused = error;
        continue;
      }
      any = true;
      yield {
        contentType: type,
        location: `${instanceLocation(exchange.linkRoot, image.instance.record)}/frames/${image.frame}/rendered`,
        // A copy: what is sent is given away, and the cache keeps its own.
        content: [
          {
            length: bytes.length,
            open: async function* (start, end) {
              yield Uint8Array.from(bytes.subarray(start, end));
            },
          },
        ],
      };
    }
    if (!any) throw refused ?? new HttpProblem(406, 'nothing in it has pixels that could be rendered');
  }
  await sendAnswer(exchange, {
    status: 200,
    headers: { ...warnings(parameters), 'Content-Type': multipartType(type, boundary), Vary: 'Accept' },
    length: null,
    segments: multipartStream(parts(), boundary),
  });
}

function tooMany(what: string, max: number): HttpProblem {
  return new HttpProblem(406, `more than ${max} ${what} are not rendered in one answer: ask for parts of it`, {
    available: availableTypes(IMAGE_TYPES, 'multipart'),
  });
}

/** Milliseconds a frame is shown: (0018,1063), or a rate of (0008,2144) or (0018,0040). */
function frameDelay(json: DicomJson): number {
  const time = numberOf(json, '00181063') ?? 0;
  const rate = numberOf(json, '00082144') ?? numberOf(json, '00180040') ?? 0;
  const delay = time > 0 ? time : rate > 0 ? 1000 / rate : 100;
  return Math.round(Math.min(10_000, Math.max(20, delay)));
}

/** All frames as one animated GIF. 406 beyond the bounds, saying what could be had. */
async function sendAnimation(exchange: Exchange, image: RenderedImage, location: string): Promise<void> {
  const { services, signal } = exchange;
  const { limits, pixels: workers } = services;
  const { instance, json, parameters } = image;
  const count = frameCount(instance.layout);
  const { viewport } = parameters;
  const full = (numberOf(json, '00280010') ?? 0) * (numberOf(json, '00280011') ?? 0);
  const shown = viewport === null ? full : viewport.width * viewport.height;
  if (count > limits.animatedFramesMax || shown * count > limits.animatedPixelsMax) {
    throw new HttpProblem(
      406,
      `an animation of ${count} frames of this size is too large (${limits.animatedFramesMax} frames, ${limits.animatedPixelsMax} pixels in all): ` +
        'ask for a smaller viewport, single frames, or all of them in multipart/related',
      {
        available: [
          'image/jpeg',
          'image/png',
          ...availableTypes(['image/jpeg', 'image/png', 'image/gif'], 'multipart'),
        ],
      },
    );
  }
  if (workers === null)
    throw new HttpProblem(406, 'this server renders nothing: retrieve the instance as it is stored');
  const animation = async () => {
    const frames: Uint8Array[] = [];
    for (let frame = 1; frame <= count; frame++) frames.push(await renderedFrame(exchange, { ...image, frame }));
    return [(await workers.animate(frames, frameDelay(json), signal)).bytes];
  };
  await sendSinglePart(exchange, {
    contentType: 'image/gif',
    location,
    etag: `${imageTag(image).slice(0, -1)}/a"`,
    segments: animation,
    headers: warnings(parameters),
  });
}

/** How one instance was asked for: by whichever of the two services. */
export interface InstanceQuestion {
  readonly accept: readonly MediaRange[];
  readonly parameters: RenderParameters;
  /** Numbers from 1; null: not named. */
  readonly frames: readonly number[] | null;
}

async function sendImageInstance(
  exchange: Exchange,
  instance: OpenInstance,
  json: DicomJson,
  { accept, parameters, frames }: InstanceQuestion,
): Promise<void> {
  const count = frameCount(instance.layout);
  const beyond = frames?.find((frame) => frame > count);
  if (beyond !== undefined)
    throw new ArchiveError('NOT_FOUND', `the instance has ${count} frames, and no frame ${beyond}`);
  const choice = negotiateRendered(accept, IMAGE_TYPES, (frames?.length ?? 1) > 1 ? 'many' : 'one');
  const { type } = choice;
  const base = instanceLocation(exchange.linkRoot, instance.record);
  const image = (frame: number): RenderedImage => ({ instance, json, frame, type, parameters, purpose: 'rendered' });
  if (choice.wrap === 'multipart') {
    const wanted = frames ?? Array.from({ length: count }, (_, at) => at + 1);
    const { renderedImagesMax } = exchange.services.limits;
    if (wanted.length > renderedImagesMax) throw tooMany('frames', renderedImagesMax);
    await sendImages(
      exchange,
      type,
      parameters,
      (async function* () {
        for (const frame of wanted) yield image(frame);
      })(),
    );
    return;
  }
  // A GIF that was asked for by name is the one image type that can hold all frames.
  if (frames === null && count > 1 && type === 'image/gif' && choice.named) {
    await sendAnimation(exchange, image(0), `${base}/rendered`);
    return;
  }
  const frame = frames?.[0] ?? representativeFrame(instance, json, 'rendered');
  await sendImage(exchange, image(frame), frames === null ? `${base}/rendered` : `${base}/frames/${frame}/rendered`);
}

/** One instance, or frames of it, in whichever media type its category has. 404 for a frame that is not there, 406 by negotiation. */
export async function sendInstance(
  exchange: Exchange,
  instance: OpenInstance,
  question: InstanceQuestion,
): Promise<void> {
  const { record, layout } = instance;
  const { accept, frames } = question;
  const stored = transferSyntaxOf(record.transferSyntax);
  if (layout.pixels !== null && stored?.video === true) {
    if (frames !== null)
      throw new HttpProblem(406, 'frames of video are not decoded', { available: [stored.mediaType] });
    await sendVideo(exchange, accept, instance, stored);
    return;
  }
  const images = frameCount(layout) > 0;
  if (!images && frames !== null) throw new ArchiveError('NOT_FOUND', 'the instance has no frames');
  const json = await instanceJson(exchange.services.archive, record);
  const document = documentType(record);
  if (images) await sendImageInstance(exchange, instance, json, question);
  else if (document !== undefined) await sendDocument(exchange, accept, instance, json, document);
  else if (isReport(record)) await sendReport(exchange, accept, instance, json);
  else {
    throw new HttpProblem(
      406,
      'an instance of this kind has nothing that could be shown: retrieve it as it is stored',
      {
        available: ['multipart/related; type="application/dicom"; transfer-syntax=*'],
      },
    );
  }
}

/** Every frame of every image below a scope, in reading order, opened as its turn comes. */
async function* imagesBelow(
  exchange: Exchange,
  records: readonly InstanceRecord[],
  type: RenderedType,
  parameters: RenderParameters,
): AsyncGenerator<RenderedImage, void, void> {
  let left = exchange.services.limits.renderedImagesMax;
  for (const { study, series, sop, transferSyntax } of records) {
    if (transferSyntaxOf(transferSyntax)?.video === true) continue;
    const instance = await openScope(exchange.services.archive, { study, series, sop });
    const count = frameCount(instance.layout);
    if (count === 0) continue;
    const json = await instanceJson(exchange.services.archive, instance.record);
    for (let frame = 1; frame <= count; frame++) {
      left -= 1;
      // Known only now, when the answer has begun: it breaks off rather than ending as if it were whole.
      if (left < 0) throw tooMany('images', exchange.services.limits.renderedImagesMax);
      yield { instance, json, frame, type, parameters, purpose: 'rendered' };
    }
  }
}

async function sendBelow(exchange: Exchange, scope: Scope): Promise<void> {
  const { archive, limits } = exchange.services;
  const parameters = renderParameters(exchange.query);
  const records: InstanceRecord[] = [];
  for await (const record of archive.instances(scope)) {
    exchange.signal.throwIfAborted();
    records.push(record);
    if (records.length > limits.renderedImagesMax) throw tooMany('images', limits.renderedImagesMax);
  }
  if (records.length === 0) {
    throw new ArchiveError('NOT_FOUND', `this archive has no such ${scope.series === undefined ? 'study' : 'series'}`);
  }
  const { type } = negotiateRendered(exchange.accept, IMAGE_TYPES, 'many');
  await sendImages(exchange, type, parameters, imagesBelow(exchange, records, type, parameters));
}

/** GET of rendered at study, series, instance or frame level. */
export async function retrieveRendered(exchange: Exchange, scope: Scope): Promise<void> {
  if (scope.sop === undefined) {
    await sendBelow(exchange, scope);
    return;
  }
  const { rest } = exchange.target;
  const frames = rest === '' ? null : parseFrameList(rest, exchange.services.limits.framesPerRequestMax);
  const parameters = renderParameters(exchange.query);
  await sendInstance(exchange, await openInstance(exchange), { accept: exchange.accept, parameters, frames });
}
