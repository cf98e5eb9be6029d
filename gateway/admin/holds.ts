// Legal holds over the admin API: listed, set, cleared.
import type { Request, Router } from 'express';
import { z } from 'zod';
import type { Archive } from '../../tiering/archive/archive.js';
import { parseStudyUid } from '../../tiering/core/ids.js';
import { HOLD_REASON_BYTES_MAX } from '../../tiering/core/limits.js';
import { checked } from './requests.js';

const schema = z.strictObject({
  study: z.string(),
  reason: z
    .string()
    .refine((reason) => Buffer.byteLength(reason) <= HOLD_REASON_BYTES_MAX, `at most ${HOLD_REASON_BYTES_MAX} bytes`)
    .default(''),
});

export interface HoldView {
  readonly study: string;
  readonly since: string;
  readonly reason: string;
}

/** Adds `/holds` to the router of the admin API. */
export function addHoldRoutes(router: Router, archive: Archive, bodyOf: (request: Request) => unknown): void {
  router.get('/holds', async (_, response) => {
    const holds: HoldView[] = (await archive.holds()).map(({ study, atMs, reason }) => ({
      study,
      since: new Date(atMs).toISOString(),
      reason,
    }));
    response.json({ holds });
  });
  router.post('/holds', async (request, response) => {
    const { study, reason } = checked(schema, bodyOf(request));
    response.status(201).json(await archive.setHold(parseStudyUid(study), reason));
  });
  // Needs the right to delete, too (auth/access.ts): it is what makes deleting possible.
  router.delete('/holds/:study', async (request, response) => {
    response.json(await archive.clearHold(parseStudyUid(request.params.study)));
  });
}
