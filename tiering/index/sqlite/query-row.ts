// Puts one row of an answer together: the texts of its levels as they were stored, what is computed, and what was
// asked for besides.
import type { Database, Statement } from 'better-sqlite3';
import { jsonMembers } from '../../../dicom/json-members.js';
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

  build(found: Found, include: QuerySpec['include']): QueryRow {
    const { study, series, instance } = found;
    const members = jsonMembers(this.levelText(study.text));
    for (const [tag, text] of computedOfStudy(study)) members.set(tag, text);
    if (series !== undefined) {
      addMissing(members, jsonMembers(this.levelText(series.text)));
      for (const [tag, text] of computedOfSeries(series)) members.set(tag, text);
    }
    if (instance !== undefined) addMissing(members, jsonMembers(this.instanceText(instance.id)));
    this.#addIncluded(members, found, include);
    const tags = [...members.keys()].sort();
    return {
      study: study.uid as StudyUid,
      series: series === undefined ? null : (series.uid as SeriesUid),
      sop: instance === undefined ? null : (instance.sop as SopUid),
      attributes: `{${tags.map((tag) => `"${tag}":${members.get(tag) ?? '{}'}`).join(',')}}`,
      online: this.#isOnline(found),
    };
  }

  /** The full metadata of the instance that speaks for the row: itself, or the one with the lowest seq of its level. */
  fullText(found: Found): string {
    const lead = this.#lead.get(leadOf(found));
    return lead === undefined ? '{}' : Buffer.from(this.#metadata.objectText(lead)).toString('utf8');
  }

  #addIncluded(members: Map<string, string>, found: Found, include: QuerySpec['include']): void {
    if (include === 'all') {
      // Of a study or series every attribute that belongs to it is there already.
      if (found.instance !== undefined) addMissing(members, jsonMembers(this.fullText(found)));
      return;
    }
    const lacking = include.filter((tag) => !members.has(tag));
    const below = lacking.filter((tag) => isBelow(tag, found));
    const unknown = lacking.filter((tag) => levelOfTag(Number.parseInt(tag, 16)) === undefined && !COMPUTED.has(tag));
    if (below.length > 0) {
      const lead = this.#lead.get(leadOf(found));
      for (const json of lead === undefined ? [] : [lead.series_json, lead.instance_json]) {
        addChosen(members, jsonMembers(json), below);
      }
    }
    if (unknown.length > 0) addChosen(members, jsonMembers(this.fullText(found)), unknown);
  }

  #isOnline({ study, series, instance }: Found): boolean {
    if (study.packs_hot === study.packs) return true;
    if (study.packs_hot === 0 || series === undefined) return false;
    if (instance === undefined) return this.#coldInSeries.get(series.id) === undefined;
    return this.#coldInstance.get(instance.id) === undefined;
  }
}

const COMPUTED: ReadonlySet<string> = new Set(Object.values(TAG));

/** Whether an attribute belongs to a level below that of the row. */
function isBelow(tag: string, found: Found): boolean {
  const level = levelOfTag(Number.parseInt(tag, 16));
  if (level === 'instance') return found.instance === undefined;
  return level === 'series' && found.series === undefined;
}

function leadOf({ study, series, instance }: Found): number {
  return instance?.id ?? series?.lead ?? study.lead;
}

function addMissing(members: Map<string, string>, more: ReadonlyMap<string, string>): void {
  for (const [tag, text] of more) if (!members.has(tag)) members.set(tag, text);
}

function addChosen(members: Map<string, string>, from: ReadonlyMap<string, string>, tags: readonly string[]): void {
  for (const tag of tags) {
    const text = from.get(tag);
    if (text !== undefined && !members.has(tag)) members.set(tag, text);
  }
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
