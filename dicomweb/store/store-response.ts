// The Store Instances Response Module (PS3.18 Annex I) as DICOM JSON.

export interface StoredItem {
  readonly sopClass: string;
  readonly sop: string;
  readonly retrieveUrl: string;
  /** (0008,1196), or null when nothing was odd. */
  readonly warning: number | null;
}

export interface FailedItem {
  /** As far as they could be read; without a SOP Instance UID it is one of the other failures. */
  readonly sopClass: string | null;
  readonly sop: string | null;
  readonly reason: number;
  readonly detail: string;
}

export interface StoreResponse {
  /** Of the study, when all that was stored is of one. */
  readonly studyUrl: string | null;
  readonly stored: readonly StoredItem[];
  readonly failed: readonly FailedItem[];
}

interface Attribute {
  readonly tag: string;
  readonly vr: 'UI' | 'UR' | 'US' | 'LO' | 'SQ';
  readonly values: readonly (string | number | DataSet)[];
}

type DataSet = readonly Attribute[];

/** (0000,0902) is LO; what is longer than this is cut. */
const COMMENT_CHARACTERS_MAX = 240;

function attribute(
  tag: string,
  vr: Attribute['vr'],
  ...values: readonly (string | number | DataSet | null)[]
): Attribute {
  return { tag, vr, values: values.filter((value) => value !== null) };
}

function storedItem(item: StoredItem): DataSet {
  return [
    attribute('00081150', 'UI', item.sopClass),
    attribute('00081155', 'UI', item.sop),
    attribute('00081190', 'UR', item.retrieveUrl),
    ...(item.warning === null ? [] : [attribute('00081196', 'US', item.warning)]),
  ];
}

/** The standard has no place for what was wrong in words; an item of Failed Attributes Sequence with an Error Comment is where others put it. */
function commentOf(item: FailedItem): Attribute {
  const comment = item.detail.slice(0, COMMENT_CHARACTERS_MAX);
  return attribute('00741048', 'SQ', [attribute('00000902', 'LO', comment)]);
}

function failedItem(item: FailedItem): DataSet {
  return [
    attribute('00081150', 'UI', item.sopClass),
    attribute('00081155', 'UI', item.sop),
    attribute('00081197', 'US', item.reason),
    commentOf(item),
  ];
}

function otherItem(item: FailedItem): DataSet {
  return [attribute('00081197', 'US', item.reason), commentOf(item)];
}

function dataSetOf(response: StoreResponse): DataSet {
  const failed = response.failed.filter((item) => item.sop !== null);
  const other = response.failed.filter((item) => item.sop === null);
  const sequence = (tag: string, items: readonly DataSet[]): Attribute[] =>
    items.length === 0 ? [] : [attribute(tag, 'SQ', ...items)];
  return [
    attribute('00081190', 'UR', response.studyUrl),
    ...sequence('00081198', failed.map(failedItem)),
    ...sequence('00081199', response.stored.map(storedItem)),
    ...sequence('0008119A', other.map(otherItem)),
  ];
}

function isDataSet(value: string | number | DataSet): value is DataSet {
  return typeof value === 'object';
}

function toJson(dataSet: DataSet): Record<string, unknown> {
  return Object.fromEntries(
    dataSet.map(({ tag, vr, values }) => [
      tag,
      values.length === 0 ? { vr } : { vr, Value: values.map((value) => (isDataSet(value) ? toJson(value) : value)) },
    ]),
  );
}

/** The response as PS3.18 Annex F JSON. */
export function storeResponseJson(response: StoreResponse): string {
  return JSON.stringify(toJson(dataSetOf(response)));
}
