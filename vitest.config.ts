// The tests run as compiled: the same files, and the same worker threads, that are shipped.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['dist/**/*.test.js'],
    exclude: ['dist/test/{e2e,crash}/**'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
