// The headline run (test/chaos/headline), short and without measuring: a disk that answers with EIO, is gone, and comes back empty, under load.
import { expect, it } from 'vitest';
import { headline } from '../chaos/headline/headline.js';
import { NO_NBD_DISK } from '../support/nbd-disk.js';
import { rgwInstalled } from '../support/rgw.js';

const LACKING = NO_NBD_DISK ?? (rgwInstalled() ? null : 'needs radosgw, ceph-mon, ceph-osd, ceph-common');

it.skipIf(LACKING !== null)(
  `a disk dies at nine in the morning and nobody notices${LACKING === null ? '' : ` (${LACKING})`}`,
  async () => {
    const told: string[] = [];
    const { claims } = await headline({ phaseMs: 3_000, studies: 3, rounds: 0, tell: (line) => told.push(line) });
    expect(
      claims.filter(({ holds }) => !holds),
      told.join('\n'),
    ).toEqual([]);
    expect(claims.length).toBeGreaterThanOrEqual(6);
  },
  300_000,
);
