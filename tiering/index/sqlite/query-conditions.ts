// What a query becomes: the keys that are left for dicom/match/matching.ts, by level, and the conditions in SQL before them.
import type { AttributeMatch } from '../index.js';

/** Attributes that are counted or gathered, and stored with no instance. */
export const TAG = {
  modalitiesInStudy: '00080061',
  classesInStudy: '00080062',
  seriesInStudy: '00201206',
  instancesInStudy: '00201208',
  instancesInSeries: '00201209',
} as const;

/** Conditions joined with AND, and what is bound in them, in order. */
export class Conditions {
  readonly #sql: string[] = [];
  readonly values: unknown[] = [];

  add(sql: string, ...values: readonly unknown[]): void {
    this.#sql.push(sql);
    this.values.push(...values);
  }

  /** Whether any row may be left out. */
  get narrows(): boolean {
    return this.#sql.length > 0;
  }

  get sql(): string {
    return this.#sql.length === 0 ? '1' : this.#sql.join(' AND ');
  }
}

export interface QueryPlan {
  /** Keys by the level that they are held against; without those that the conditions below decide by themselves. */
  readonly study: readonly AttributeMatch[];
  readonly series: readonly AttributeMatch[];
  readonly instance: readonly AttributeMatch[];
  /** Keys of no level: held against the full metadata of the row's leading instance. */
  readonly deep: readonly AttributeMatch[];
  /** On `s` (studies), `e` (series) and `i` (instances). */
  readonly whereStudy: Conditions;
  readonly whereSeries: Conditions;
  readonly whereInstance: Conditions;
}
