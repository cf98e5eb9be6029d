// The suites that start servers of their own (Ceph RGW) or whole processes: one file at a time, as compiled.
import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: vitest asks for one
export default defineConfig({
  test: {
    include: ['dist/test/{e2e,crash}/**/*.test.js', 'dist/test/chaos/{*,simulation/*}.test.js'],
    pool: 'forks',
    fileParallelism: false,
    // Where other work takes the cores for a while, a deadline of a test passes with nothing wrong. What fails twice is wrong; the log names what was tried again.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
