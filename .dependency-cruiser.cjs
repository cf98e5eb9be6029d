// The floors of docs/architecture.md: a file imports only from lower floors.
const reasons = {
  core: 'floor 0 knows nothing of the rest: errors, ids, limits, clock, queues',
  bytes: 'floor 1 is pure bytes: no I/O boundary, no protocol, no process',
  workers: 'worker tasks are thin entries over floor 1',
  boundaries: 'hot, cold, index and keys are four boundaries that never import each other',
  archive: 'the archive knows storage, nothing of what is spoken above it',
  spoken: 'dicomweb knows Archive, nothing of S3, SQL, volumes or tar',
  process: 'only gateway and tools are processes',
};
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
const tests = '(\\.test\\.ts$|^test/|^bench/)';
module.exports = {
  forbidden: [
    rule('no-circular', 'a circle is one file in two', {}, { circular: true }),
    rule(
      'floor-0',
      reasons.core,
      { path: '^tiering/core/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools|workers|dicom|tiering/(?!core/))' },
    ),
    rule(
      'floor-1-format',
      reasons.bytes,
      { path: '^tiering/format/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools|workers|tiering/(?!core/|format/))' },
    ),
    rule(
      'floor-1-dicom',
      reasons.bytes,
      { path: '^dicom/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools|workers|tiering/(?!core/))' },
    ),
    rule(
      'floor-1-workers',
      reasons.workers,
      { path: '^workers/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools|tiering/(?!core/|format/))' },
    ),
    rule(
      'floor-2-hot',
      reasons.boundaries,
      { path: '^tiering/hot/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools|tiering/(cold|index|keys|archive)/)' },
    ),
    rule(
      'floor-2-cold',
      reasons.boundaries,
      { path: '^tiering/cold/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools|tiering/(hot|index|keys|archive)/)' },
    ),
    rule(
      'floor-2-index',
      reasons.boundaries,
      { path: '^tiering/index/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools|tiering/(hot|cold|keys|archive)/)' },
    ),
    rule(
      'floor-2-keys',
      reasons.boundaries,
      { path: '^tiering/keys/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools|tiering/(hot|cold|index|archive)/)' },
    ),
    rule(
      'floor-3',
      reasons.archive,
      { path: '^tiering/archive/', pathNot: tests },
      { path: '^(gateway|dicomweb|tools)/' },
    ),
    rule(
      'floor-4',
      reasons.spoken,
      { path: '^dicomweb/', pathNot: tests },
      { path: '^(gateway|tools)/|^tiering/(hot|cold|index|keys|format)/|^workers/' },
    ),
    rule(
      'dicomweb-sees-archive',
      reasons.spoken,
      { path: '^dicomweb/', pathNot: tests },
      { path: '^tiering/archive/(?!archive\\.ts)' },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // TypeScript 7 has no parser API: with the default parser dependency-cruiser would see no .ts file at all, and say that all is well.
    // swc sees type-only imports too. test/house/floors.test.ts holds this file to it.
    parser: 'swc',
    includeOnly: '^(gateway|tiering|dicomweb|dicom|workers|tools|test|bench)/',
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
