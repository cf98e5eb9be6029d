import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeIndex } from '../../../test/contract/index.js';
import type { Index } from '../index.js';
import { openSqliteIndex } from './open-sqlite-index.js';

describeIndex('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'filmroom-index-'));
  const open = () => openSqliteIndex({ path: join(folder, 'index.db') });
  let index: Index = await open();
  return {
    get index() {
      return index;
    },
    reopen: async () => {
      await index.close();
      index = await open();
      return index;
    },
    dispose: async () => {
      await index.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
