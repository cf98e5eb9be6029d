import type { Database } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';
import type { QueryPage, QuerySpec } from '../index.js';
import type { QueryClock } from './query-clock.js';
import type { MetadataReader } from './read-metadata.js';

export class QueryEngine {
  constructor(_db: Database, _clock: QueryClock, _metadata: MetadataReader) {}
  run(_spec: QuerySpec): QueryPage {
    throw new ArchiveError('NOT_SUPPORTED', 'queries come in the next commit');
  }
}
