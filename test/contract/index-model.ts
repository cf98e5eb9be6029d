// What a query must answer, computed the slow way: every study, series and instance is put together from the
// arrivals and held against every key by dicom/match/matching.ts. The reference for any index.
import { levelOfTag } from '../../dicom/level-attributes.js';
import { normalDate } from '../../dicom/match/match-time.js';
import { type DicomJsonObject, isUniversal, matchesAll } from '../../dicom/match/matching.js';
import type { ArrivedInstance, AttributeMatch, QuerySpec } from '../../tiering/index/index.js';

const NONE = Number.MAX_SAFE_INTEGER;
const COMPUTED_STUDY = ['00080061', '00080062', '00201206', '00201208'];

interface Series {
  readonly uid: string;
  readonly object: DicomJsonObject;
  readonly number: number;
  readonly instances: readonly ArrivedInstance[];
}

interface Study {
  readonly uid: string;
  readonly object: DicomJsonObject;
  readonly date: string;
  readonly series: readonly Series[];
}

function parse(json: string): Record<string, { vr?: unknown; Value?: unknown[] }> {
  return JSON.parse(json) as Record<string, { vr?: unknown; Value?: unknown[] }>;
}

function lowest(instances: readonly ArrivedInstance[]): ArrivedInstance {
  const [first, ...others] = instances;
  if (first === undefined) throw new Error('a level without instances');
  return others.reduce(
    (low, one) => (one.seq < low.seq || (one.seq === low.seq && one.sop < low.sop) ? one : low),
    first,
  );
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The live set of some arrivals: of each SOP Instance UID the one with the lowest seq. */
export function liveOf(arrivals: readonly ArrivedInstance[]): readonly ArrivedInstance[] {
  return [...groupBy(arrivals, (one) => one.sop).values()].map(lowest);
}

function studiesOf(live: readonly ArrivedInstance[]): readonly Study[] {
  const studies = [...groupBy(live, (one) => one.study)].map(([uid, ofStudy]): Study => {
    const series = [...groupBy(ofStudy, (one) => one.series)].map(([seriesUid, instances]): Series => {
      const lead = lowest(instances);
      return {
        uid: seriesUid,
        object: { ...parse(lead.attributes.series), '00201209': { vr: 'IS', Value: [instances.length] } },
        number: lead.seriesNumber ?? NONE,
        instances: [...instances].sort(
          (a, b) => (a.instanceNumber ?? NONE) - (b.instanceNumber ?? NONE) || byText(a.sop, b.sop),
        ),
      };
    });
    const object = parse(lowest(ofStudy).attributes.study);
    const modalities = series.map((one) => one.object['00080060']?.Value).flatMap(firstText);
    const date = object['00080020']?.Value;
    return {
      uid,
      date: date?.length === 1 ? (normalDate(String(date[0])) ?? '') : '',
      series: series.sort((a, b) => a.number - b.number || byText(a.uid, b.uid)),
      object: {
        ...object,
        '00080061': { vr: 'CS', Value: [...new Set(modalities)].sort(byText) },
        '00080062': { vr: 'UI', Value: [...new Set(ofStudy.map((one) => one.sopClass))].sort(byText) },
        '00201206': { vr: 'IS', Value: [series.length] },
        '00201208': { vr: 'IS', Value: [ofStudy.length] },
      },
    };
  });
  return studies.sort((a, b) => byText(b.date, a.date) || byText(a.uid, b.uid));
}

/** The one modality of a series as it counts for its study. */
function firstText(values: unknown): string[] {
  if (!Array.isArray(values) || values.length !== 1 || typeof values[0] !== 'string') return [];
  const text = values[0].trim();
  return text === '' ? [] : [text];
}

function levelOf(key: AttributeMatch): string {
  const tag = key.path[0] ?? '';
  if (COMPUTED_STUDY.includes(tag)) return 'study';
  if (tag === '00201209') return 'series';
  return levelOfTag(Number.parseInt(tag, 16)) ?? 'deep';
}

/** The rows of the whole answer, in order, as `study/series/sop` with what is not of the level left empty. */
export function expectedRows(
  arrivals: readonly ArrivedInstance[],
  spec: QuerySpec,
  full: (one: ArrivedInstance) => string,
): readonly string[] {
  const keys = spec.matches.filter((key) => !isUniversal(key));
  const all = (object: DicomJsonObject, level: string) =>
    matchesAll(
      object,
      keys.filter((key) => levelOf(key) === level),
      spec,
    );
  const has = (level: string) => keys.some((key) => levelOf(key) === level);
  const deep = (instances: readonly ArrivedInstance[]) => all(parse(full(lowest(instances))), 'deep');
  const rows: string[] = [];
  for (const study of studiesOf(liveOf(arrivals))) {
    if (spec.studies?.some((uid) => uid === study.uid) === false) continue;
    if (spec.study !== undefined && spec.study !== study.uid) continue;
    if (!all(study.object, 'study')) continue;
    const series = study.series
      .filter((one) => (spec.series === undefined || spec.series === one.uid) && all(one.object, 'series'))
      .map((one) => ({ ...one, hits: one.instances.filter((i) => all(parse(i.attributes.instance), 'instance')) }))
      .filter((one) => !has('instance') || one.hits.length > 0);
    if (spec.level === 'study') {
      const limited = has('series') || has('instance') || spec.series !== undefined;
      if (limited && series.length === 0) continue;
      if (deep(study.series.flatMap((one) => one.instances))) rows.push(`${study.uid}//`);
      continue;
    }
    for (const one of series) {
      if (spec.level === 'series') {
        if (deep(one.instances)) rows.push(`${study.uid}/${one.uid}/`);
        continue;
      }
      for (const hit of one.hits) if (deep([hit])) rows.push(`${study.uid}/${one.uid}/${hit.sop}`);
    }
  }
  return rows;
}
