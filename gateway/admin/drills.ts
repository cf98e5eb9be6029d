// Drills over the admin API: what one would be about, and holding it as a job.
import type { Request, Response, Router } from 'express';
import { z } from 'zod';
import type { Archive, JobOptions } from '../../tiering/archive/archive.js';
import { DRILL_KINDS, type DrillRequest } from '../../tiering/archive/drills/drill-report.js';
import { parseReplicaName, parseVolumeName } from '../../tiering/core/ids.js';
import { parseDuration } from '../units.js';
import type { JobKind, JobReport } from './jobs.js';
import { checked } from './requests.js';

const schema = z.strictObject({
  what: z.enum(DRILL_KINDS),
  name: z.string().min(1).max(64).optional(),
  for: z.string().max(16).default('1m'),
  anyway: z.boolean().default(false),
});

/** Adds `/drills` to the router of the admin API. */
export function addDrillRoutes(
  router: Router,
  archive: Archive,
  bodyOf: (request: Request) => unknown,
  begin: (response: Response, kind: JobKind, work: (options: JobOptions) => Promise<JobReport>) => void,
): void {
  router.post('/drills/plan', async (request, response) => {
    response.json(await archive.planDrill(parse(bodyOf(request))));
  });
  router.post('/drills', (request, response) => {
    const wanted = parse(bodyOf(request));
    begin(response, 'drill', (options) => archive.drill(wanted, options));
  });
}

function parse(body: unknown): DrillRequest {
  const { what, name, for: lasts, anyway } = checked(schema, body);
  const parseName = what === 'volume' ? parseVolumeName : parseReplicaName;
  return { what, name: name === undefined ? null : parseName(name), forMs: parseDuration(lasts), anyway };
}
