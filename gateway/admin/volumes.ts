// Volumes over the admin API: what only one of them has, and taking one out of use and back in, or in anew.
import type { Request, Router } from 'express';
import { z } from 'zod';
import type { Archive } from '../../tiering/archive/archive.js';
import { parseVolumeName } from '../../tiering/core/ids.js';
import type { Health } from '../health.js';
import { checked } from './requests.js';

const schema = z.strictObject({ plan: z.boolean().default(false) });

/** Adds `/volumes` to the router of the admin API. */
export function addVolumeRoutes(
  router: Router,
  archive: Archive,
  health: Health,
  bodyOf: (request: Request) => unknown,
): void {
  router.post('/volumes/:name/fail', async (request, response) => {
    const name = parseVolumeName(request.params.name);
    const { plan } = checked(schema, bodyOf(request));
    const exposed = await archive.exposure(name);
    if (!plan) await archive.failVolume(name);
    health.changed();
    response.json({ volume: name, out: !plan, exposed });
  });
  router.post('/volumes/:name/return', async (request, response) => {
    const name = parseVolumeName(request.params.name);
    const state = await archive.returnVolume(name);
    health.changed();
    response.json({ volume: name, out: false, state });
  });
  router.get('/volumes/ledgers', async (_, response) => {
    response.json({ ledgers: await archive.ledgers() });
  });
  router.get('/volumes/:name/ledgers', async (request, response) => {
    response.json({ ledgers: await archive.ledgers(parseVolumeName(request.params.name)) });
  });
  router.post('/volumes/:name/adopt', async (request, response) => {
    const name = parseVolumeName(request.params.name);
    const { plan } = checked(schema, bodyOf(request));
    const report = await archive.adoptVolume(name, { plan });
    health.changed();
    response.json({ volume: name, ...report });
  });
}
