// npm run headline [-- --short]: the run, told as it goes, and its verdict. Exit code 1 when something that must be true is not; what is aimed at is told as met or
// missed. Needs what test/support/nbd-disk.ts and Ceph RGW need.

import { NO_NBD_DISK } from '../../support/nbd-disk.js';
import { rgwInstalled } from '../../support/rgw.js';
import { headline } from './headline.js';

const short = process.argv.includes('--short');
const say = (line: string) => process.stdout.write(`${line}\n`);
const lacking = NO_NBD_DISK ?? (rgwInstalled() ? null : 'needs radosgw, ceph-mon, ceph-osd, ceph-common');
if (lacking === null) {
  const begun = performance.now();
  const tell = (line: string) => say(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  const size = short ? { phaseMs: 3_000, studies: 3, rounds: 0 } : { phaseMs: 15_000, studies: 8, rounds: 4 };
  const { claims, targets } = await headline({ ...size, tell });
  say('');
  for (const { what, holds, seen } of claims) say(`${holds ? 'TRUE ' : 'FALSE'}   ${what}: ${seen}`);
  for (const { what, met, seen } of targets) say(`${met ? 'MET   ' : 'MISSED'}  ${what}: ${seen}`);
  process.exitCode = claims.every(({ holds }) => holds) ? 0 : 1;
} else {
  say(`not run: ${lacking}`);
  process.exitCode = 2;
}
