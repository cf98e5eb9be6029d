// One live instance with what is known of its parts.
import type { InstanceLayout } from '../../dicom/instance.js';
import type { InstanceRecord } from '../../tiering/archive/archive.js';

export interface OpenInstance {
  readonly record: InstanceRecord;
  readonly layout: InstanceLayout;
}
