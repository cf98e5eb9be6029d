// What crosses between the main thread and the threads of the pixel pool. The bytes of frames are moved both ways.
import type { Frame } from '../../dicom/codecs/frame.js';
import type { Look, RenderRequest } from '../../dicom/render/types.js';

export interface TranscodeTask {
  readonly frame: Frame;
  readonly syntax: string;
}

export interface RenderTask {
  readonly frame: Frame;
  readonly look: Look;
  readonly request: RenderRequest;
}
