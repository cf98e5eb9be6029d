// Puts one row of an answer together: the texts of its levels as they were stored, what is computed, and what was
// asked for besides.
import type { Database, Statement } from 'better-sqlite3';
import { type JsonMember, jsonMembers } from '../../../dicom/json/json-members.js';
import { levelOfTag } from '../../../dicom/level-attributes.js';
import type { SeriesUid, SopUid, StudyUid } from '../../core/ids.js';
import type { QueryRow, QuerySpec } from '../index.js';
import { TAG } from './query-conditions.js';
import type { MetadataReader } from './read-metadata.js';

export interface StudyRow {
  readonly id: number;
  readonly uid: string;
  readonly lead: number;
  /** Id of its text in `texts`: read only when it is looked at. */
  readonly text: number;
  readonly series: number;
  readonly instances: number;
  readonly modalities: string;
  readonly classes: string;
  readonly packs: number;
  readonly packs_hot: number;
}

export interface SeriesRow {
  readonly id: number;
  readonly uid: string;
  readonly lead: number;
  readonly text: number;
  readonly instances: number;
}

export interface LeafRow {
  readonly id: number;
  readonly sop: string;
}

/** One match: a study, a series of it, or an instance of that. */
export interface Found {
  readonly study: StudyRow;
  readonly series?: SeriesRow;
  readonly instance?: LeafRow;
}

interface LeadRow {
  readonly id: number;
  readonly bundle: number | null;
  readonly meta_start: number | null;
  readonly meta_end: number | null;
  readonly series_json: string;
  readonly instance_json: string;
}

export class RowBuilder {
  readonly #metadata: MetadataReader;
  readonly #text: Statement<[number], { json: string }>;
  readonly #details: Statement<[number], { attributes: string }>;
  readonly #lead: Statement<[number], LeadRow>;
  readonly #coldInSeries: Statement<[number], unknown>;
  readonly #coldInstance: Statement<[number], unknown>;
  /** One inflated bundle: of the last instance whose full metadata was looked at. */
  readonly #held = new Map<number, Uint8Array>();
  /** What the rows of one study or series have in common: of the last row, in the page under way. */
  #above: { readonly study: StudyRow; readonly series: SeriesRow | undefined; readonly members: Members } | undefined;

  constructor(db: Database, metadata: MetadataReader) {
    this.#metadata = metadata;
    this.#text = db.prepare('SELECT json FROM texts WHERE id = ?');
    this.#details = db.prepare('SELECT attributes FROM details WHERE id = ?');
    this.#lead = db.prepare(
      `SELECT i.id, i.bundle, i.meta_start, i.meta_end, t.json AS series_json, d.attributes AS instance_json
       FROM instances i JOIN texts t ON t.id = i.series_text JOIN details d ON d.id = i.id WHERE i.id = ?`,
    );
    const cold = "JOIN packs p ON p.id = i.pack WHERE p.hot NOT IN ('open', 'present')";
    this.#coldInSeries = db.prepare(`SELECT 1 FROM instances i ${cold} AND i.series = ? LIMIT 1`);
    this.#coldInstance = db.prepare(`SELECT 1 FROM instances i ${cold} AND i.id = ?`);
  }

  /** The attributes of a study or series, by the id of their text. */
  levelText(id: number): string {
    return this.#text.get(id)?.json ?? '{}';
  }

  instanceText(id: number): string {
    return this.#details.get(id)?.attributes ?? '{}';
  }

  /** To be called before and after each query: what one remembered may be gone by the next. */
  forget(): void {
    this.#above = undefined;
    this.#held.clear();
  }

  build(found: Found, include: QuerySpec['include']): QueryRow {
    const { study, series, instance } = found;
    const online = this.#isOnline(found);
    let members = this.#membersAbove(study, series);
    if (instance !== undefined) members = merged(members, sorted(jsonMembers(this.instanceText(instance.id))));
    members = this.#withIncluded(members, found, include);
    return {
      study: study.uid as StudyUid,
      series: series === undefined ? null : (series.uid as SeriesUid),
      sop: instance === undefined ? null : (instance.sop as SopUid),
      online,
      ...textOf(members, online ? ONLINE : NEARLINE),
    };
  }

  /** Of the study and, where there is one, the series: what was stored with them and what is computed. */
  #membersAbove(study: StudyRow, series: SeriesRow | undefined): Members {
    const before = this.#above;
    if (before?.study.id === study.id && before.series?.id === series?.id) return before.members;
    const ofStudy =
      before?.study.id === study.id && before.series === undefined
        ? before.members
        : merged([UTF_8, ...computedOfStudy(study).map(memberOf)], sorted(jsonMembers(this.levelText(study.text))));
    const members =
      series === undefined
        ? ofStudy
        : merged(
            computedOfSeries(series).map(memberOf),
            merged(ofStudy, sorted(jsonMembers(this.levelText(series.text)))),
          );
    this.#above = { study, series, members };
    return members;
  }

  /** The full metadata of the instance that speaks for the row: itself, or the one with the lowest seq of its level. */
  fullText(found: Found): string {
    const lead = this.#lead.get(leadOf(found));
    if (lead === undefined) return '{}';
    const held = found.instance === undefined ? undefined : this.#held;
    return Buffer.from(this.#metadata.objectText(lead, held)).toString('utf8');
  }

  #withIncluded(members: Members, found: Found, include: QuerySpec['include']): Members {
    if (include === 'all') {
      // Of a study or series every attribute that belongs to it is there already.
      return found.instance === undefined ? members : merged(members, sorted(jsonMembers(this.fullText(found))));
    }
    if (include.length === 0) return members;
    const there = new Set(members.map(({ name }) => name));
    const lacking = include.filter((tag) => !there.has(tag));
    const below = new Set(lacking.filter((tag) => isBelow(tag, found)));
    const unknown = new Set(
      lacking.filter((tag) => levelOfTag(Number.parseInt(tag, 16)) === undefined && !COMPUTED.has(tag)),
    );
    let all = members;
    if (below.size > 0) {
      const lead = this.#lead.get(leadOf(found));
      for (const json of lead === undefined ? [] : [lead.series_json, lead.instance_json]) {
        all = merged(all, sorted(jsonMembers(json).filter(({ name }) => below.has(name))));
      }
    }
    if (unknown.size === 0) return all;
    return merged(all, sorted(jsonMembers(this.fullText(found)).filter(({ name }) => unknown.has(name))));
  }

  #isOnline({ study, series, instance }: Found): boolean {
    if (study.packs_hot === study.packs) return true;
    if (study.packs_hot === 0 || series === undefined) return false;
    if (instance === undefined) return this.#coldInSeries.get(series.id) === undefined;
    return this.#coldInstance.get(instance.id) === undefined;
  }
}

/** Ascending by tag, each tag once. */
type Members = readonly JsonMember[];

/** Whatever it was stored in, as JSON it is UTF-8 and says so. */
const UTF_8 = memberOf(['00080005', '{"vr":"CS","Value":["ISO_IR 192"]}']);
const AVAILABILITY = '00080056';
const ONLINE = memberOf([AVAILABILITY, '{"vr":"CS","Value":["ONLINE"]}']);
const NEARLINE = memberOf([AVAILABILITY, '{"vr":"CS","Value":["NEARLINE"]}']);
const RETRIEVE_URL = '00081190';

function memberOf([tag, value]: readonly [string, string]): JsonMember {
  return { name: tag, text: `"${tag}":${value}` };
}

/** Stored texts nearly always are in order already. */
function sorted(members: JsonMember[]): Members {
  const inOrder = members.every((member, at) => at === 0 || (members[at - 1]?.name ?? '') < member.name);
  return inOrder ? members : members.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Both, where a tag of `first` stands before the same of `second`. */
function merged(first: Members, second: Members): Members {
  const all: JsonMember[] = [];
  let at = 0;
  for (const member of first) {
    for (let next = second[at]; next !== undefined && next.name <= member.name; next = second[++at]) {
      if (next.name < member.name) all.push(next);
    }
    all.push(member);
  }
  for (; at < second.length; at++) {
    const next = second[at];
    if (next !== undefined) all.push(next);
  }
  return all;
}

/** The object's text, with `availability` in its place. */
function textOf(
  members: Members,
  availability: JsonMember,
): { readonly attributes: string; readonly retrieveUrlAt: number } {
  const texts: string[] = [];
  let retrieveUrlAt = 1;
  let placed = false;
  const place = (text: string, name: string) => {
    texts.push(text);
    if (name < RETRIEVE_URL) retrieveUrlAt += text.length + 1;
  };
  for (const { name, text } of members) {
    if (name === AVAILABILITY || name === RETRIEVE_URL) continue;
    if (!placed && name > AVAILABILITY) {
      place(availability.text, AVAILABILITY);
      placed = true;
    }
    place(text, name);
  }
  return { attributes: `{${texts.join(',')}}`, retrieveUrlAt };
}

const COMPUTED: ReadonlySet<string> = new Set([...Object.values(TAG), AVAILABILITY, RETRIEVE_URL]);

/** Whether an attribute belongs to a level below that of the row. */
function isBelow(tag: string, found: Found): boolean {
  const level = levelOfTag(Number.parseInt(tag, 16));
  if (level === 'instance') return found.instance === undefined;
  return level === 'series' && found.series === undefined;
}

function leadOf({ study, series, instance }: Found): number {
  return instance?.id ?? series?.lead ?? study.lead;
}

function element(vr: string, values: string): string {
  return values === '[]' ? `{"vr":"${vr}"}` : `{"vr":"${vr}","Value":${values}}`;
}

/** Attributes of a study that follow from what is live in it (PS3.18 table 10.6.3-3). */
export function computedOfStudy(study: StudyRow): readonly (readonly [string, string])[] {
  return [
    [TAG.modalitiesInStudy, element('CS', study.modalities)],
    [TAG.classesInStudy, element('UI', study.classes)],
    [TAG.seriesInStudy, element('IS', `[${study.series}]`)],
    [TAG.instancesInStudy, element('IS', `[${study.instances}]`)],
  ];
}

export function computedOfSeries(series: SeriesRow): readonly (readonly [string, string])[] {
  return [[TAG.instancesInSeries, element('IS', `[${series.instances}]`)]];
}
