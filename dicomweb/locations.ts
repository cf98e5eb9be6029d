// The URLs of what an answer holds.
import type { InstanceRecord } from '../tiering/archive/archive.js';

export function instanceLocation(root: string, record: Pick<InstanceRecord, 'study' | 'series' | 'sop'>): string {
  return `${root}/studies/${record.study}/series/${record.series}/instances/${record.sop}`;
}
