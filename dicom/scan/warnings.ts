// What is odd about an instance that is stored all the same: a bounded list that names tags and offsets.

import { tagText } from '../dicom-error.js';
import type { DicomWarning } from '../instance.js';
import { WARNINGS_MAX } from '../limits.js';

export class Warnings {
  readonly list: DicomWarning[] = [];
  readonly #said = new Set<string>();

  /** `what` once: a thousand odd elements are one oddity. */
  add(kind: DicomWarning['kind'], what: string, tag?: number, offset?: number): void {
    const key = `${kind} ${what}`;
    if (this.#said.has(key) || this.list.length >= WARNINGS_MAX) return;
    this.#said.add(key);
    const where = tag === undefined ? '' : ` in ${tagText(tag)}`;
    const at = offset === undefined ? '' : ` at byte ${offset}`;
    this.list.push({ kind, detail: `${what}${where}${at}` });
  }
}
