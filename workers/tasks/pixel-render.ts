// Rendering of one frame in a thread.

import type { Rendered } from '../../dicom/render/types.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { RenderTask } from './pixel-types.js';

/** Until there is a renderer: NOT_SUPPORTED. */
export async function renderTask(_task: RenderTask): Promise<Rendered> {
  throw new ArchiveError('NOT_SUPPORTED', 'this version does not render');
}
