// The URLs of what an answer holds.
import type { InstanceRecord, Scope } from '../../tiering/archive/archive.js';

export function instanceLocation(root: string, record: Pick<InstanceRecord, 'study' | 'series' | 'sop'>): string {
  return `${root}/studies/${record.study}/series/${record.series}/instances/${record.sop}`;
}

export function scopeLocation(root: string, { study, series, sop }: Scope): string {
  const parts = [`${root}/studies/${study}`];
  if (series !== undefined) parts.push(`/series/${series}`);
  if (sop !== undefined) parts.push(`/instances/${sop}`);
  return parts.join('');
}
