// The bytes of one instance as they are planned: those that are stored, or written anew around transcoded frames while they are sent.
import { describePixels } from '../../dicom/codecs/describe.js';
import type { Frame } from '../../dicom/codecs/frame.js';
import { frameCount } from '../../dicom/layout.js';
import { rewriteInstance } from '../../dicom/rewrite/rewrite-instance.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { instanceSegment, type LazySegment, type MadeSegment } from '../answer/segments.js';
import type { Services } from '../exchange.js';
import { instanceJson } from './instance-json.js';
import { openScope } from './instance-parts.js';
import type { Planned } from './instance-plan.js';
import type { OpenInstance } from './open-instance.js';
import { type TakenFrame, TranscodedFrames } from './transcoding.js';

/** Gives the frames of a whole instance in order, holding the memory of one until the next is asked for. */
class FramesInOrder {
  readonly #services: Services;
  readonly #instance: OpenInstance;
  readonly #syntax: string;
  readonly #signal: AbortSignal;
  #frames: TranscodedFrames | null = null;
  #held: TakenFrame | null = null;

  constructor(services: Services, instance: OpenInstance, syntax: string, signal: AbortSignal) {
    this.#services = services;
    this.#instance = instance;
    this.#syntax = syntax;
    this.#signal = signal;
  }

  async frame(number: number): Promise<Frame> {
    this.#release();
    this.#frames ??= await this.#open();
    this.#held = await this.#frames.take(number - 1);
    return this.#held.frame;
  }

  close(): void {
    this.#release();
    this.#frames?.close();
  }

  #release(): void {
    this.#held?.done();
    this.#held = null;
  }

  async #open(): Promise<TranscodedFrames> {
    const { record, layout } = this.#instance;
    const pixels = describePixels(await instanceJson(this.#services.archive, record));
    const frames = Array.from({ length: frameCount(layout) }, (_, index) => index + 1);
    const run = { instance: this.#instance, pixels, syntax: this.#syntax, frames };
    return new TranscodedFrames(this.#services, run, this.#signal);
  }
}

async function* rewritten(
  services: Services,
  { record, syntax }: Planned,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { archive } = services;
  const instance = await openScope(archive, record);
  if (instance.record.sha256 !== record.sha256)
    throw new ArchiveError('NOT_FOUND', 'the instance was replaced meanwhile');
  const frames = new FramesInOrder(services, instance, syntax, signal);
  try {
    yield* rewriteInstance({
      source: {
        length: record.end - record.start,
        read: (start, end) => archive.read(record, { start, end }, signal),
      },
      layout: instance.layout,
      sopClass: record.sopClass,
      sop: record.sop,
      stored: record.transferSyntax,
      target: syntax,
      frame: (number) => frames.frame(number),
    });
  } finally {
    frames.close();
  }
}

/** The whole instance in the syntax that it is planned in. */
export function instanceContent(services: Services, planned: Planned): LazySegment | MadeSegment {
  const { record, syntax } = planned;
  if (syntax === record.transferSyntax) {
    return instanceSegment(services.archive, record, 0, record.end - record.start);
  }
  return { length: null, open: (signal) => rewritten(services, planned, signal) };
}
