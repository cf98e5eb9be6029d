// WADO-RS of whole instances (PS3.18 10.4.1.1.1): a study, a series or one instance, byte for byte as it was stored or in the
// transfer syntax that was asked for, in multipart/related, as a zip file, or alone.

import { EXPLICIT_LITTLE } from '../../dicom/transfer-syntax.js';
import type { InstanceRecord, Scope } from '../../tiering/archive/archive.js';
import {
  drawBoundary,
  multipartLength,
  multipartStream,
  multipartType,
  type OutgoingPart,
} from '../answer/multipart-writer.js';
import { sendAnswer } from '../answer/send.js';
import { sendSinglePart } from '../answer/single-part.js';
import type { Exchange } from '../exchange.js';
import { instanceContent } from '../instances/instance-content.js';
import { type Plan, type Planned, partialAnswer, planInstances } from '../instances/instance-plan.js';
import { instanceLocation } from '../instances/locations.js';
import { covers, type MediaRange, wantedItem } from '../negotiation/accept.js';
import { DICOM, OCTETS, ZIP } from '../negotiation/media-types.js';
import { acceptable } from '../negotiation/negotiation.js';
import { HttpProblem } from '../problem.js';
import { retrieveAllBulkData } from './bulkdata-of-scope.js';
import { sendZip } from './zip.js';

type Container = 'multipart' | 'single' | 'zip' | 'bulkdata';

/** What a range wants instances to come in; null for what has nothing to do with instances. */
function containerOf(range: MediaRange, one: boolean): Container | null {
  const { type, wrap } = wantedItem(range);
  if (type === ZIP && wrap === 'single') return 'zip';
  // 10.4.4: kept for history, and means the bulk data resource of the same level.
  if (type === OCTETS && wrap === 'multipart') return 'bulkdata';
  if (!covers(type, DICOM)) return null;
  if (wrap !== 'single') return 'multipart';
  // A single part is for a single instance's own resource, even where a study has but one.
  return one ? 'single' : null;
}

/** The container that is asked for first, and every range that asks for it. */
function chooseContainer(
  accept: readonly MediaRange[],
  one: boolean,
): { readonly container: Container; readonly ranges: readonly MediaRange[] } {
  const containers = accept.map((range) => containerOf(range, one));
  const container = containers.find((each) => each !== null);
  if (container !== undefined && container !== null) {
    return { container, ranges: accept.filter((_, at) => containers[at] === container) };
  }
  throw new HttpProblem(406, `instances are given as ${one ? `${DICOM}, ` : ''}multipart/related, or ${ZIP}`, {
    available: [`multipart/related; type="${DICOM}"`, ...(one ? [DICOM] : []), ZIP],
  });
}

function partOf(exchange: Exchange, planned: Planned, root: string): OutgoingPart {
  return {
    contentType: `${DICOM};transfer-syntax=${planned.syntax}`,
    location: instanceLocation(root, planned.record),
    content: [instanceContent(exchange.services, planned)],
  };
}

/** What is planned, one by one where there is too much to hold. */
async function* plannedOf(exchange: Exchange, scope: Scope, plan: Plan): AsyncGenerator<Planned, void, void> {
  if (plan.held !== null) {
    yield* plan.held;
    return;
  }
  for await (const record of exchange.services.archive.instances(scope)) {
    const planned = plan.place(record);
    if (planned !== null) yield planned;
  }
}

async function* partsOf(exchange: Exchange, scope: Scope, plan: Plan, root: string): AsyncGenerator<OutgoingPart> {
  for await (const planned of plannedOf(exchange, scope, plan)) yield partOf(exchange, planned, root);
}

async function sendOne(exchange: Exchange, planned: Planned): Promise<void> {
  const { record, syntax }: { record: InstanceRecord; syntax: string } = planned;
  const part = partOf(exchange, planned, exchange.linkRoot);
  await sendSinglePart(exchange, {
    contentType: part.contentType,
    location: part.location,
    etag: syntax === record.transferSyntax ? `"${record.sha256}"` : `W/"${record.sha256}/${syntax}"`,
    segments: part.content,
    headers: { 'Content-Disposition': `attachment; filename="${record.sop}.dcm"` },
  });
}

/** GET of a study, series or instance. 404 when there is none, 406 by negotiation. */
export async function retrieveInstances(exchange: Exchange, scope: Scope): Promise<void> {
  const { container, ranges } = chooseContainer(exchange.accept, scope.sop !== undefined);
  if (container === 'bulkdata') return retrieveAllBulkData(exchange, scope, 'bulkdata');
  const plan = await planInstances(exchange, scope, ranges, container === 'zip' ? null : EXPLICIT_LITTLE);
  const [first] = plan.held ?? [];
  if (container === 'single' && first !== undefined) return acceptable(sendOne(exchange, first));
  const { status, headers } = partialAnswer(plan.omitted);
  if (container === 'zip')
    return sendZip(exchange, scope, status, headers, plannedOf(exchange, scope, plan), plan.held);
  const root = exchange.linkRoot;
  const boundary = drawBoundary(exchange.services.random);
  const answer = sendAnswer(exchange, {
    status,
    headers: { ...headers, 'Content-Type': multipartType(DICOM, boundary) },
    // Known lengths let a client show progress; a study too large to hold is read from the index once more.
    length:
      plan.held === null
        ? null
        : multipartLength(
            plan.held.map((planned) => partOf(exchange, planned, root)),
            boundary,
          ),
    segments: multipartStream(partsOf(exchange, scope, plan, root), boundary),
  });
  await acceptable(answer);
}
