// filmroom status: the state of the archive on one screen.
import type { Command } from 'commander';
import type { StatusView } from '../../gateway/admin/status.js';
import { EXIT } from '../exit.js';
import { formatBytes, formatSeconds, formatTable, plural } from '../format.js';
import { type Io, print, printJson } from '../io.js';
import { describeProgress } from '../progress.js';
import { serverCommand, withServer } from '../server-command.js';

export function statusCommand(io: Io): Command {
  return withServer(io, serverCommand('status', 'the state of the archive'), async (client, { json }) => {
    const status = await client.status();
    if (json) printJson(io, status);
    else print(io, describeStatus(status));
    return EXIT.done;
  });
}

function describeDeletes({ owed, unread }: StatusView['deletes']): readonly string[] {
  return [
    ...(owed === 0 ? [] : [`${plural(owed, 'delete')} not known to every replica yet`]),
    ...(unread.length === 0
      ? []
      : [
          `provisional: ${unread.join(', ')} was not read since the rebuild: deleted images may show, and what is not found is answered 503`,
        ]),
  ];
}

/** Why a volume is not healthy, and what gets worse with it. */
export function describeVolume({ detail, trend }: StatusView['volumes'][number]): string {
  return [detail, trend === null ? null : `getting worse: ${trend}`].filter((one) => one !== null).join('; ');
}

function describeErasure({ instances, bytes }: StatusView['erasurePending']): readonly string[] {
  return instances === 0
    ? []
    : [`deleted, and not yet erased: ${plural(instances, 'instance')}, ${formatBytes(bytes)} (filmroom erase)`];
}

/** `unavailable for 3 min, filling`. */
function describeState({ state, standing, unavailableSeconds }: StatusView['replicas'][number]): string {
  const since = unavailableSeconds === null ? '' : ` for ${formatSeconds(unavailableSeconds)}`;
  return `${state}${since}${standing === 'member' ? '' : `, ${standing}`}`;
}

/** How much a replica is owed and since when. */
export function describeDebt({ packs, bytes, oldestAgeSeconds }: StatusView['replicas'][number]['debt']): string {
  if (packs === 0) return 'nothing';
  const age = oldestAgeSeconds === null ? '' : `, the oldest ${formatSeconds(oldestAgeSeconds)} old`;
  return `${plural(packs, 'pack')}, ${formatBytes(bytes)}${age}`;
}

export function describeStatus(status: StatusView): string {
  const { studies, bytes, unprotected } = status;
  const age = unprotected.oldestAgeSeconds;
  const free = (n: number | null) => (n === null ? 'unknown' : `${formatBytes(n)} free`);
  return [
    `${plural(studies.hot, 'study', 'studies')} hot (${formatBytes(bytes.hot)}), ${studies.protected} of them protected; ${studies.cold} cold (${formatBytes(bytes.cold)})`,
    unprotected.instances === 0
      ? 'everything is protected'
      : `not yet protected: ${plural(unprotected.instances, 'instance')}, ${formatBytes(unprotected.bytes)}${age === null ? '' : `, the oldest ${formatSeconds(age)} old`}`,
    ...describeDeletes(status.deletes),
    ...(status.traysUnread.length === 0
      ? []
      : [
          `what volume ${status.traysUnread.join(', ')} took in last is not known until it is back or given up: what is not found is answered 503`,
        ]),
    ...(status.stopped === null ? [] : [status.stopped.reason]),
    ...(status.keys.fault === null ? [] : [status.keys.fault]),
    ...describeErasure(status.erasurePending),
    ...(status.rebuild === null
      ? []
      : [
          `the index is being made again; until then it is searched and read only: ${describeProgress(status.rebuild)}`,
        ]),
    ...(status.audit.detail === null
      ? []
      : [`${status.audit.detail}; requests go on, ${plural(status.audit.lost, 'record')} lost`]),
    ...(status.refill.packs === 0
      ? []
      : [
          `being brought back to the volumes: ${plural(status.refill.packs, 'pack')}, ${formatBytes(status.refill.bytes)}`,
        ]),
    ...status.drills.map(
      ({ what, name, outcome, startedAt }) =>
        `drill of ${what}${name === null ? '' : ` ${name}`}: ${outcome}, ${startedAt.slice(0, 16)}Z`,
    ),
    `new instances go to: ${status.ingest}`,
    '',
    formatTable([
      ['VOLUME', 'STATE', 'SPACE', ''],
      ...status.volumes.map((one) => [one.name, one.state, free(one.bytesFree), describeVolume(one)]),
    ]),
    '',
    formatTable([
      ['REPLICA', 'STATE', 'OWED', ''],
      ...status.replicas.map((one) => [one.name, describeState(one), describeDebt(one.debt), one.detail ?? '']),
    ]),
    ...(status.jobs.length === 0 ? [] : ['', `${plural(status.jobs.length, 'job')} running: filmroom jobs`]),
  ].join('\n');
}
