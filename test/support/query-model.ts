// Query matching in the plainest way, over the parsed instances themselves: the reference that HTTP tests compare with. Knows what
// the suites ask: single values, wildcards, UID and code lists, date ranges, nested paths, paging.
import type { ParsedInstance } from '../../dicom/instance.js';
import type { InstanceRecord, QueryPage, QueryRow, QuerySpec } from '../../tiering/archive/archive.js';

interface Attribute {
  readonly vr: string;
  readonly Value?: readonly unknown[];
}
type DataSet = Readonly<Record<string, Attribute>>;
interface Known {
  readonly record: InstanceRecord;
  readonly parsed: ParsedInstance;
}

const parse = (text: string) => JSON.parse(text) as DataSet;

function textsAt(dataSet: DataSet, path: readonly string[]): readonly string[] {
  const [tag = '', ...rest] = path;
  const values = dataSet[tag]?.Value ?? [];
  if (rest.length > 0) return values.flatMap((item) => textsAt(item as DataSet, rest));
  return values.flatMap((value) =>
    typeof value === 'object' && value !== null ? Object.values(value).map(String) : [String(value)],
  );
}

function matchesOne(vr: string, wanted: string, found: string): boolean {
  if (vr === 'DA' && wanted.includes('-')) {
    const [from = '', to = ''] = wanted.split('-');
    return (from === '' || found >= from) && (to === '' || found <= to);
  }
  if (vr === 'UI') return wanted === found;
  const pattern = wanted
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${pattern}$`, 'iu').test(found);
}

function matches(known: Known, siblings: readonly Known[], spec: QuerySpec): boolean {
  if (spec.studies?.includes(known.record.study) === false) return false;
  if (spec.study !== undefined && known.record.study !== spec.study) return false;
  if (spec.series !== undefined && known.record.series !== spec.series) return false;
  return spec.matches.every(({ path, vr, values }) => {
    if (values.every((value) => value === '')) return true;
    // (0008,0061) Modalities in Study is computed from the study's series.
    const found =
      path[0] === '00080061'
        ? siblings.flatMap((other) => textsAt(parse(other.parsed.json), ['00080060']))
        : textsAt(parse(known.parsed.json), path);
    return values.some((value) => found.some((one) => matchesOne(vr, value, one)));
  });
}

function rowOf(first: Known, study: readonly Known[], spec: QuerySpec): QueryRow {
  const { record, parsed } = first;
  const inSeries = study.filter((other) => other.record.series === record.series);
  const modalities = new Set(study.flatMap((other) => textsAt(parse(other.parsed.json), ['00080060'])));
  const all: Record<string, unknown> = {
    ...parse(parsed.attributes.study),
    '00080061': { vr: 'CS', Value: [...modalities].sort() },
    '00201206': { vr: 'IS', Value: [new Set(study.map((other) => other.record.series)).size] },
    '00201208': { vr: 'IS', Value: [study.length] },
    ...(spec.level === 'study' ? {} : parse(parsed.attributes.series)),
    ...(spec.level === 'study' ? {} : { '00201209': { vr: 'IS', Value: [inSeries.length] } }),
    ...(spec.level === 'instance' ? parse(parsed.attributes.instance) : {}),
  };
  const full = parse(parsed.json);
  for (const tag of spec.include === 'all' ? Object.keys(full) : spec.include) {
    if (full[tag] !== undefined) all[tag] ??= full[tag];
  }
  all['00080005'] = { vr: 'CS', Value: ['ISO_IR 192'] };
  all['00080056'] = { vr: 'CS', Value: ['ONLINE'] };
  const texts = Object.entries(all)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([tag, value]) => `"${tag}":${JSON.stringify(value)}`);
  const before = texts.filter((text) => text.slice(1, 9) < '00081190');
  return {
    study: record.study,
    series: spec.level === 'study' ? null : record.series,
    sop: spec.level === 'instance' ? record.sop : null,
    attributes: `{${texts.join(',')}}`,
    retrieveUrlAt: 1 + before.map((text) => text.length + 1).reduce((sum, length) => sum + length, 0),
    online: true,
  };
}

/** One page of what matches, in arrival order. */
export function queryModel(known: readonly Known[], spec: QuerySpec): QueryPage {
  const keyOf = ({ record }: Known) =>
    spec.level === 'study' ? record.study : spec.level === 'series' ? record.series : record.sop;
  const studyOf = (one: Known) => known.filter((other) => other.record.study === one.record.study);
  const groups = new Map<string, Known>();
  for (const one of known) if (!groups.has(keyOf(one)) && matches(one, studyOf(one), spec)) groups.set(keyOf(one), one);
  const found = [...groups.values()];
  const page = found.slice(spec.offset, spec.offset + spec.limit);
  return {
    rows: page.map((one) => rowOf(one, studyOf(one), spec)),
    more: found.length > spec.offset + page.length,
    ...(spec.count === true ? { total: found.length } : {}),
  };
}
