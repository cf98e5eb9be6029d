// A key leaves the keyring only when nothing anywhere is wrapped under it (docs/format.md O7): not on any replica, also none that is
// away, not in the index, and nothing that was begun while it was the current one can still be on its way.
import { ArchiveError } from '../../core/errors.js';
import { withoutKek } from '../../format/keyring.js';
import type { JobOptions, KeysReport, RemoveKeyReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { countKeys } from './count-keys.js';

/** A write that began under the key before another one became current has ended by then: all of them are bounded in time. */
const RETIRE_MS = 3_600_000;

/** As Archive.removeKey. */
export async function removeKey(ctx: ArchiveContext, key: string, options: JobOptions): Promise<RemoveKeyReport> {
  return ctx.keys.alone(async () => {
    const { keyring, clock } = ctx;
    if (!keyring.keys.some(({ id }) => id === key)) {
      throw new ArchiveError('INVALID', `the keyring has no key ${key}; filmroom keys list shows those that it has`);
    }
    const current = keyring.keys.find(({ id }) => id === keyring.current);
    if (key === keyring.current) {
      throw new ArchiveError('CONFLICT', `key ${key} is the current one: rotate first`);
    }
    const sinceMs = clock.nowMs() - Date.parse(current?.createdAt ?? '');
    if (!(sinceMs >= RETIRE_MS)) {
      const minutes = Math.ceil((RETIRE_MS - sinceMs) / 60_000);
      throw new ArchiveError(
        'CONFLICT',
        `the current key is too young: what was begun under ${key} may still be on its way; try again in ${minutes} minutes`,
      );
    }
    const report = await countKeys(ctx, options);
    mustBeUnused(key, report);
    options.signal?.throwIfAborted();
    await ctx.keys.change(withoutKek(ctx.keyring, key));
    ctx.log({ level: 'warn', event: 'key-removed', detail: `${key} is not in the keyring any more` });
    return { removed: key, objects: report.objects };
  });
}

function mustBeUnused(key: string, report: KeysReport): void {
  if (report.unavailable.length > 0) {
    throw new ArchiveError(
      'UNAVAILABLE',
      `${report.unavailable.join(', ')} did not answer: whether something there needs key ${key} is not known`,
    );
  }
  if (report.unreadable.length > 0) {
    throw new ArchiveError(
      'CONFLICT',
      `${report.unreadable.length} objects are damaged (${report.unreadable[0]}): whether they need key ${key} is not known; repair first`,
    );
  }
  const use = report.keys.find(({ id }) => id === key);
  const places = (use?.replicas ?? [])
    .filter(({ manifests, tombstones }) => manifests + tombstones > 0)
    .map(({ name, manifests, tombstones }) => `${manifests} manifests and ${tombstones} deletes on ${name}`);
  const { packs = 0, tombstones = 0 } = use?.index ?? {};
  if (packs + tombstones > 0) places.push(`${packs} packs and ${tombstones} deletes in the index`);
  if (places.length === 0) return;
  const advice =
    packs + tombstones > 0
      ? 'run filmroom keys rotate --resume'
      : 'a rotation that was not finished (filmroom keys rotate --resume), or packs that the index has dropped and whose objects are still there';
  throw new ArchiveError('CONFLICT', `key ${key} is still needed: ${places.join(', ')}; ${advice}`);
}
