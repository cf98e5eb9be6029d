// Sums vitest's JSON results: names what was skipped, then prints `N passed, N failed`. Fails unless everything passed.
//   node .ci/sum.cjs FOLDER FAILED_STEPS
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

const [folder, steps] = process.argv.slice(2);
let passed = 0;
let failed = 0;
for (const name of readFileSync(path.join(folder, 'suites'), 'utf8').trim().split('\n')) {
  const file = path.join(folder, `${name}.json`);
  if (!existsSync(file)) {
    process.stdout.write(`${name}: no results\n`);
    failed += 1;
    continue;
  }
  const results = JSON.parse(readFileSync(file, 'utf8'));
  passed += results.numPassedTests;
  // A file that could not be loaded has no failed test of its own.
  failed += Math.max(results.numFailedTests, results.success ? 0 : 1);
  const skipped = new Map();
  for (const suite of results.testResults) {
    for (const test of suite.assertionResults) {
      if (test.status === 'passed' || test.status === 'failed') continue;
      const title = test.ancestorTitles.join(' > ') || test.title;
      skipped.set(title, (skipped.get(title) ?? 0) + 1);
    }
  }
  process.stdout.write(`${name}: ${results.numPassedTests} passed, ${results.numFailedTests} failed\n`);
  for (const [title, count] of skipped) process.stdout.write(`  skipped: ${title} (${count})\n`);
}
// A failing suite is a failed step too: counted once.
if (failed === 0) failed = Number(steps);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
