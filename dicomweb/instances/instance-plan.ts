// Decides, before anything is sent, in which transfer syntax each instance of an answer goes, and which cannot go at all (PS3.18
// 10.4.3: 206 when some of what was asked for is there, 406 when nothing is).
import { describePixels } from '../../dicom/codecs/describe.js';
import { frameCount } from '../../dicom/layout.js';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import type { InstanceRecord, Scope } from '../../tiering/archive/archive.js';
import { ArchiveError, hasCode } from '../../tiering/core/errors.js';
import type { Exchange } from '../exchange.js';
import type { MediaRange } from '../negotiation/accept.js';
import { availableInstances, negotiateSyntaxes, storedSyntax } from '../negotiation/negotiation.js';
import { HttpProblem } from '../problem.js';
import { instanceJson } from './instance-json.js';
import { openScope } from './instance-parts.js';
import type { OpenInstance } from './open-instance.js';
import { instancesGiven } from './transcoding.js';

export interface Planned {
  readonly record: InstanceRecord;
  /** In which it goes; the stored one means byte for byte. */
  readonly syntax: string;
}

export interface Plan {
  /** Null when there are too many to hold: they are planned one by one, by the table alone. */
  readonly held: readonly Planned[] | null;
  readonly omitted: number;
  /** Plans one more. Null: it cannot be given as asked. */
  readonly place: (record: InstanceRecord) => Planned | null;
}

/** Looked at in the index at once; each is a point look-up. */
const CHECKS_AT_ONCE = 8;

/** What the table cannot know: whether the target holds these very pixels. */
async function holdsPixels(exchange: Exchange, instance: OpenInstance, syntax: string): Promise<boolean> {
  const { record, layout } = instance;
  if (layout.pixels === null) return !layout.bulk.some(({ path }) => path === '7FE00010');
  if (frameCount(layout) === 0) return false;
  // A compressed icon would have to be in the syntax of the image (PS3.5 A.4).
  const stored = storedSyntax(record.transferSyntax);
  if (stored.encapsulated && layout.bulk.some(({ path }) => path.endsWith('/7FE00010'))) return false;
  if (transferSyntaxOf(syntax)?.encapsulated !== true) return true;
  const { numbers, bitsAllocated } = describePixels(await instanceJson(exchange.services.archive, record));
  return numbers === 'integer' && (bitsAllocated === 8 || bitsAllocated === 16);
}

/** Whether a transcoded instance will come out whole. */
async function fits(exchange: Exchange, record: InstanceRecord, syntax: string): Promise<boolean> {
  if (syntax === record.transferSyntax) return true;
  const stored = storedSyntax(record.transferSyntax);
  if (!stored.encapsulated && transferSyntaxOf(syntax)?.encapsulated !== true) return true;
  return holdsPixels(exchange, await openScope(exchange.services.archive, record), syntax);
}

/** The instance in the first of `syntaxes` that holds it; null when none does, or it was deleted meanwhile. */
async function placed(
  exchange: Exchange,
  record: InstanceRecord,
  syntaxes: readonly string[],
): Promise<Planned | null> {
  try {
    for (const syntax of syntaxes) if (await fits(exchange, record, syntax)) return { record, syntax };
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND')) throw error;
  }
  return null;
}

async function placeAll(
  exchange: Exchange,
  records: readonly InstanceRecord[],
  targetsOf: (stored: string) => readonly string[],
): Promise<readonly Planned[]> {
  const kept: Planned[] = [];
  for (let at = 0; at < records.length; at += CHECKS_AT_ONCE) {
    exchange.signal.throwIfAborted();
    const batch = records.slice(at, at + CHECKS_AT_ONCE);
    const found = await Promise.all(batch.map((record) => placed(exchange, record, targetsOf(record.transferSyntax))));
    kept.push(...found.filter((each) => each !== null));
  }
  return kept;
}

/** The live instances of a scope. NOT_FOUND when there are none. */
export async function findRecords(
  exchange: Exchange,
  scope: Scope,
): Promise<{ readonly held: readonly InstanceRecord[] | null; readonly syntaxes: ReadonlyMap<string, number> }> {
  const { archive, limits } = exchange.services;
  const { study, series, sop } = scope;
  if (series !== undefined && sop !== undefined) {
    const record = await archive.instance({ study, series, sop });
    return { held: [record], syntaxes: new Map([[record.transferSyntax, 1]]) };
  }
  const held: InstanceRecord[] = [];
  const syntaxes = new Map<string, number>();
  let count = 0;
  for await (const record of archive.instances(scope)) {
    exchange.signal.throwIfAborted();
    count++;
    syntaxes.set(record.transferSyntax, (syntaxes.get(record.transferSyntax) ?? 0) + 1);
    if (count <= limits.heldInstancesMax) held.push(record);
  }
  if (count === 0)
    throw new ArchiveError('NOT_FOUND', `this archive has no such ${series === undefined ? 'study' : 'series'}`);
  return { held: count <= limits.heldInstancesMax ? held : null, syntaxes };
}

/** PS3.18 table 10.4.3-1: 206 when something of what was asked for is left out, with the number in a Warning. */
export function partialAnswer(omitted: number): { readonly status: number; readonly headers: Record<string, string> } {
  if (omitted === 0) return { status: 200, headers: { Vary: 'Accept' } };
  const text = `${omitted} instances cannot be given as asked and are left out; transfer-syntax=* gives all as they are stored`;
  return { status: 206, headers: { Vary: 'Accept', Warning: `299 filmroom "${text}"` } };
}

function notAcceptable(exchange: Exchange, syntaxes: Iterable<string>): HttpProblem {
  const stored = [...syntaxes].sort();
  const available = stored.flatMap((uid) =>
    availableInstances(uid, instancesGiven(exchange.services, storedSyntax(uid))),
  );
  return new HttpProblem(
    406,
    `stored as ${stored.join(', ')}, which cannot be given as asked; \`available\` lists what can, transfer-syntax=* being as it is stored`,
    { available: [...new Set(available), 'multipart/related; type="application/dicom"; transfer-syntax=*'] },
  );
}

/**
 * Plans a study, series or instance for a client that accepts `ranges` of one container. `unnamed`: what no transfer-syntax
 * parameter means; null: as stored. NOT_FOUND when nothing is live, 406 when nothing of it can be given as asked.
 */
export async function planInstances(
  exchange: Exchange,
  scope: Scope,
  ranges: readonly MediaRange[],
  unnamed: string | null,
): Promise<Plan> {
  const found = await findRecords(exchange, scope);
  const targets = new Map<string, readonly string[]>();
  const targetsOf = (stored: string): readonly string[] => {
    const known = targets.get(stored);
    if (known !== undefined) return known;
    const gives = instancesGiven(exchange.services, storedSyntax(stored));
    const found = negotiateSyntaxes(ranges, stored, gives, unnamed ?? stored);
    targets.set(stored, found);
    return found;
  };
  if (found.held === null) {
    const refused = [...found.syntaxes].filter(([stored]) => targetsOf(stored).length === 0);
    if (refused.length === found.syntaxes.size) throw notAcceptable(exchange, found.syntaxes.keys());
    const place = (record: InstanceRecord): Planned | null => {
      const [syntax] = targetsOf(record.transferSyntax);
      return syntax === undefined ? null : { record, syntax };
    };
    return { held: null, omitted: refused.reduce((sum, [, count]) => sum + count, 0), place };
  }
  const held = await placeAll(exchange, found.held, targetsOf);
  if (held.length === 0) throw notAcceptable(exchange, found.syntaxes.keys());
  return { held, omitted: found.held.length - held.length, place: () => null };
}
