// The tests run as compiled: the same files, and the same worker threads, that are shipped.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['dist/**/*.test.js'],
    exclude: ['dist/test/{e2e,crash}/**', 'dist/test/chaos/*.test.js', 'dist/test/chaos/simulation/**'],
    pool: 'forks',
    // Where other work takes the cores for a while, a deadline of a test passes with nothing wrong. What fails twice is wrong; the log names what was tried again.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
