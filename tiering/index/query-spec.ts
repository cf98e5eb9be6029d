// What a search asks of the index, and what it gets. Types only.
import type { SeriesUid, SopUid, StudyUid } from '../core/ids.js';

export type QueryLevel = 'study' | 'series' | 'instance';

/** One attribute to match: PS3.18 8.3.4. */
export interface AttributeMatch {
  /** Tags from the root, 8 hex digits upper case each; more than one for a sequence item's attribute. */
  readonly path: readonly string[];
  readonly vr: string;
  /** As sent, percent-decoded; more than one: any of them (UID lists, ModalitiesInStudy=CT,MR). Empty text: universal matching. */
  readonly values: readonly string[];
  /** What lacks the attribute, or has it without a value, matches, whatever `values` say (PS3.4 C.2.2.2.7). */
  readonly empty?: boolean;
  /** Of a DA key with one range: the TM attribute beside it and its range of the same form, matched as one (PS3.4 C.2.2.2.5). */
  readonly time?: { readonly tag: string; readonly range: string };
}

export interface QuerySpec {
  readonly level: QueryLevel;
  /** Nothing outside of these is looked at, matched or counted; empty: nothing is found. At most 10,000 (LIMIT). */
  readonly studies?: readonly StudyUid[];
  readonly study?: StudyUid;
  readonly series?: SeriesUid;
  readonly matches: readonly AttributeMatch[];
  /** Person names also match by the beginnings of their words, by sound, and as Chinese names are read (dicom/match/name-tokens.ts). */
  readonly fuzzy: boolean;
  readonly limit: number;
  readonly offset: number;
  /** `all`, or tags beyond the default set: taken from the full metadata where the level's attributes lack them. */
  readonly include: 'all' | readonly string[];
  /** Say how many rows match in all, where counting them takes next to no time. */
  readonly count?: boolean;
}

export interface QueryRow {
  readonly study: StudyUid;
  readonly series: SeriesUid | null;
  readonly sop: SopUid | null;
  /**
   * DICOM JSON object text, ascending by tag: the attributes of the level and those above it, with counts, ModalitiesInStudy,
   * (0008,0056) Instance Availability and (0008,0005) as what the text is in; without (0008,1190) Retrieve URL.
   */
  readonly attributes: string;
  /** Where in `attributes` the member `"00081190":{...},` belongs: others follow it always. */
  readonly retrieveUrlAt: number;
  /** Whether all of it is on a volume. */
  readonly online: boolean;
}

export interface QueryPage {
  readonly rows: readonly QueryRow[];
  /** More rows match beyond this page. */
  readonly more: boolean;
  /** Why rows may be lacking that will be there later: the index is not whole yet. */
  readonly provisional?: string;
  /** Rows that match in all, when `count` was asked for and they could be counted at once. */
  readonly total?: number;
}
