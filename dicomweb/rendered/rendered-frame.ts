// One frame of an open instance as an image file: from the cache, or read, decoded and rendered within the memory that frames may
// take. What cannot be decoded is a 406, never a picture of something else.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { describePixels } from '../../dicom/codecs/describe.js';
import type { PixelDescription } from '../../dicom/codecs/frame.js';
import type { DicomJson } from '../../dicom/json/json-object.js';
import { numberOf } from '../../dicom/json/json-object.js';
import { frameCount } from '../../dicom/layout.js';
import { patientLines, techniqueLines } from '../../dicom/render/annotation.js';
import { profileOf } from '../../dicom/render/icc.js';
import type { FetchBulk } from '../../dicom/render/item.js';
import { lookOf } from '../../dicom/render/look.js';
import type { RenderedType, RenderRequest } from '../../dicom/render/types.js';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import { ArchiveError, codeOf } from '../../tiering/core/errors.js';
import type { Exchange } from '../exchange.js';
import { partSegment } from '../instances/instance-parts.js';
import type { OpenInstance } from '../instances/open-instance.js';
import { storedFrame, storedFrameBytes } from '../instances/stored-frame.js';
import { HttpProblem } from '../problem.js';
import { type RenderParameters, viewportFor } from './render-parameters.js';

const MiB = 1024 * 1024;
/** A thumbnail is 4 KiB: those of ten thousand series. They stay when their study has gone cold. */
const thumbnails = new LRUCache<string, Uint8Array>({ maxSize: 48 * MiB, maxEntrySize: 256 * 1024 });
const pictures = new LRUCache<string, Uint8Array>({ maxSize: 32 * MiB, maxEntrySize: 4 * MiB });
/** A table has 128 KiB, the profile of a slide scanner up to 3 MiB. */
const BULK_BYTES_MAX = 4 * MiB;
/** Changes with what the renderer draws, so that nobody is told that an older picture is still the same. */
const RENDERER = 1;

export interface RenderedImage {
  readonly instance: OpenInstance;
  readonly json: DicomJson;
  /** From 1. */
  readonly frame: number;
  readonly type: RenderedType;
  readonly parameters: RenderParameters;
  readonly purpose: 'thumbnail' | 'rendered';
}

/** Equal questions about equal bytes give equal pictures; weak, since another release of the encoder writes them otherwise. */
export function imageTag({ instance, frame, type, parameters }: Omit<RenderedImage, 'json'>): string {
  const asked = JSON.stringify([RENDERER, frame, type, parameters]);
  return `W/"${instance.record.sha256}/r${createHash('sha1').update(asked).digest('base64url')}"`;
}

/** The frame that stands for the instance: (0028,6010) if it says, else the first, or for a thumbnail the middle. */
export function representativeFrame(
  instance: OpenInstance,
  json: DicomJson,
  purpose: RenderedImage['purpose'],
): number {
  const count = frameCount(instance.layout);
  const own = numberOf(json, '00286010');
  if (own !== null && Number.isInteger(own) && own >= 1 && own <= count) return own;
  return purpose === 'thumbnail' ? Math.floor(count / 2) + 1 : 1;
}

/** A bulk value of an instance in little endian words. */
async function bulkBytes(exchange: Exchange, instance: OpenInstance, path: string): Promise<Uint8Array> {
  const value = instance.layout.bulk.find((each) => each.path === path.toUpperCase());
  if (value === undefined || value.end - value.start > BULK_BYTES_MAX) return new Uint8Array(0);
  const pieces: Uint8Array[] = [];
  const segment = partSegment(exchange.services.archive, instance, value.start, value.end);
  for await (const piece of segment.open(0, segment.length, exchange.signal)) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const swapped = transferSyntaxOf(instance.record.transferSyntax)?.bigEndian === true && bytes.length % 2 === 0;
  return swapped && value.vr !== 'OB' ? bytes.swap16() : bytes;
}

/** What the frame is while it is worked on: as stored, decoded, in 8-bit colour, and in its new size. */
function memoryOf({ instance, frame, parameters }: RenderedImage, pixels: PixelDescription): number {
  const count = pixels.rows * pixels.columns;
  const decoded = Math.ceil((count * pixels.samplesPerPixel * pixels.bitsAllocated) / 8);
  const { width, height } = parameters.viewport ?? { width: 0, height: 0 };
  return storedFrameBytes(instance, frame) + decoded + 3 * (count + width * height);
}

function notShown(instance: OpenInstance, frame: number, error: ArchiveError): HttpProblem {
  return new HttpProblem(
    406,
    `frame ${frame}, stored as ${instance.record.transferSyntax}, cannot be rendered: ${error.message}; retrieve it as it is stored`,
    { cause: error, available: ['multipart/related; type="application/dicom"; transfer-syntax=*'] },
  );
}

async function profileFor({ json, parameters }: RenderedImage, fetch: FetchBulk): Promise<RenderRequest['profile']> {
  if (parameters.profile === null) return null;
  const bytes = await profileOf(json, fetch);
  if (bytes === null) throw new ArchiveError('INVALID', 'iccprofile: the image has no profile of its own');
  return { bytes, to: parameters.profile };
}

async function make(exchange: Exchange, image: RenderedImage): Promise<Uint8Array> {
  const { services, signal } = exchange;
  const { instance, json, frame, type, parameters } = image;
  const { pixels: workers, archive, pixelBudget } = services;
  if (workers === null)
    throw new HttpProblem(406, 'this server renders nothing: retrieve the instance as it is stored');
  const pixels = describePixels(json);
  const has = (what: 'patient' | 'technique') => parameters.annotation.includes(what);
  const fetch: FetchBulk = (path) => bulkBytes(exchange, instance, path);
  const request: RenderRequest = {
    mediaType: type,
    profile: await profileFor(image, fetch),
    quality: parameters.quality,
    window: parameters.window,
    viewport: viewportFor(parameters, pixels.columns, pixels.rows),
    annotation:
      parameters.annotation.length === 0
        ? null
        : {
            patient: has('patient') ? patientLines(json) : [],
            technique: has('technique') ? techniqueLines(json) : [],
          },
  };
  const bytes = memoryOf(image, pixels);
  return await pixelBudget.memory.run(
    async () => {
      const stored = await storedFrame(archive, instance, pixels, frame, signal);
      const look = await lookOf(json, frame, fetch);
      try {
        const work = () => workers.render(stored, look, request, signal);
        return (await pixelBudget.slots.run(work, { signal })).bytes;
      } catch (error) {
        // The bytes are what was sent to us: it is the decoder that cannot, or will not, make a picture of them.
        const code = codeOf(error);
        if (error instanceof ArchiveError && (code === 'NOT_SUPPORTED' || code === 'CORRUPT')) {
          throw notShown(instance, frame, error);
        }
        throw error;
      }
    },
    { units: bytes, signal },
  );
}

/**
 * The image file of a frame; shared with others, not to be changed or given away. 406 for what cannot be shown, 413 for what is too large, NOT_FOUND for a
 * frame that is not there; else as Archive.read says.
 */
export async function renderedFrame(exchange: Exchange, image: RenderedImage): Promise<Uint8Array> {
  const cache = image.purpose === 'thumbnail' ? thumbnails : pictures;
  const { record } = image.instance;
  const key = `${imageTag(image)}/${record.sop}/${record.seq}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const bytes = await make(exchange, image);
  cache.set(key, bytes, { size: bytes.length + 1 });
  return bytes;
}
