// OHIF itself, the built viewer of its npm package, in Chromium, as a page of another origin than the gateway: what a radiologist does first,
// with the studies on disk and with the clouds alone holding them.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { findDicomPack } from '../../support/dicom-pack.js';
import { noise } from '../../support/dicomweb-samples.js';
import { buildPart10, nativeImage } from '../../support/part10-builder.js';
import { OhifPage, type Thumbnails } from './ohif-page.js';
import { OhifSession, type Picture } from './ohif-session.js';
import { startTier, TIERS, type TieredGateway } from './tiers.js';
import { type Browser, chromium, ohifDist } from './viewers.js';

const launch = chromium();
const dist = ohifDist();
const pack = findDicomPack();

const SLICES = 6;
const phantoms = [...phantomStudies({ seed: 2026, studies: 5, slices: SLICES, shrink: 4 })];
const studyOf = (modality: string) =>
  phantoms.find((one) => one.modality === modality)?.study ?? expect.fail(`no phantom ${modality}`);

/** OHIF shows the first group of a name: a hospital that has no other writes it in Chinese. */
const chinese = buildPart10({
  study: '2.25.1',
  series: '2.25.1.1',
  sop: '2.25.1.1.1',
  elements: [
    ['00081030', 'LO', '胸部平扫'],
    ['00100010', 'PN', '欧阳^小东'],
    ['00100020', 'LO', 'CN-1'],
    ...nativeImage({ rows: 64, columns: 64, bits: 16, frames: 1, pixels: noise(8192, 9) }),
  ],
});

/** Real files, compressed as viewers decode themselves. */
const COMPRESSED = [
  ['HTJ2K', 'compressed/htj2k_201_rgb.dcm'],
  ['JPEG-LS', 'compressed/CTImage.dcm_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm'],
] as const;

const files = [
  ...phantoms.map((one) => one.bytes),
  chinese,
  ...COMPRESSED.flatMap(([, file]) => (pack === null ? [] : [pack.read(file)])),
];
const studies = 6 + (pack === null ? 0 : COMPRESSED.length);

/** The other ways to a thumbnail; the last is a bare <img>, without CORS. */
const OTHER_WAYS = ['rendered', 'thumbnailDirect'] as const;

describe.skipIf(launch === null || dist === null)('OHIF (needs chromium and `npm ci --prefix test/viewers`)', () => {
  let browser: Browser;
  const slices = new Map<string, readonly Picture[]>();
  beforeAll(async () => {
    browser = await (launch?.() ?? expect.fail('no browser'));
  });
  afterAll(() => browser?.close());

  describe.each(TIERS)('with the studies %s', (tier) => {
    let gateway: TieredGateway;
    let page: OhifPage;
    let ohif: OhifSession;
    const showing = (thumbnails: Thumbnails) => OhifPage.start({ dist: dist ?? '', gateway: gateway.url, thumbnails });
    beforeAll(async () => {
      gateway = await startTier(tier, files);
      // Made from frames by the viewer, or by the server.
      page = await showing(tier === 'hot' ? 'wadors' : 'thumbnail');
      ohif = await OhifSession.open(browser, page.origin);
    });
    afterAll(async () => {
      await ohif?.close();
      await page?.stop();
      await gateway?.close();
    });
    afterEach(() => {
      expect(ohif.complaints.splice(0)).toEqual([]);
    });

    it('lists the studies, and finds a patient by Chinese characters', async () => {
      const rows = await ohif.list(studies);
      await ohif.keep(`${tier}-list`);
      for (const text of [
        'CT chest',
        'Screening mammography',
        'Echocardiography',
        'MR head',
        '胸部平扫',
        '欧阳, 小东',
      ]) {
        expect(rows.filter((row) => row.includes(text)).length, text).toBeGreaterThan(0);
      }
      await ohif.page.locator('thead input, tbody input').first().fill('小东');
      // The server finds two phantoms more, by the second group of their names; the list shows those whose first group fits.
      expect((await ohif.rows(1)).join()).toContain('欧阳, 小东');
      await ohif.keep(`${tier}-found`);
    });

    it('opens a CT from the list and scrolls through it', async () => {
      await ohif.list(studies);
      await ohif.choose('CT\\SR');
      const seen = [await ohif.picture()];
      for (let slice = 2; slice <= SLICES; slice += 1) seen.push(await ohif.scrollTo(slice));
      await ohif.thumbnails(2);
      await ohif.keep(`${tier}-ct`);
      expect(new Set(seen.map(({ hash }) => hash)).size).toBe(SLICES);
      for (const { colours } of seen) expect(colours).toBeGreaterThan(10);
      slices.set(tier, seen);
      expect(seen).toEqual(slices.get('hot'));
    });

    it.each(tier === 'hot' ? ['MG', 'US', 'MR'] : ['US'])('opens the phantom %s', async (modality) => {
      await ohif.goTo(studyOf(modality));
      expect((await ohif.picture()).colours).toBeGreaterThan(10);
      await ohif.thumbnails(1);
      await ohif.keep(`${tier}-${modality.toLowerCase()}`);
    });

    it.skipIf(pack === null).each(COMPRESSED.slice(tier === 'hot' ? 0 : 1))(
      'opens a real study in %s',
      async (name, file) => {
        await ohif.goTo(pack?.entry(file).StudyInstanceUID ?? '');
        expect((await ohif.picture()).colours).toBeGreaterThan(10);
        await ohif.keep(`${tier}-${name.toLowerCase().replaceAll(' ', '')}`);
      },
    );

    it.each(tier === 'hot' ? OTHER_WAYS : [])('shows thumbnails by the %s strategy', async (way) => {
      const other = await showing(way);
      const visit = await OhifSession.open(browser, other.origin);
      try {
        await visit.goTo(studyOf('US'));
        await visit.thumbnails(2);
        await visit.keep(`${tier}-${way}`);
      } finally {
        await visit.close();
        await other.stop();
      }
      expect(visit.complaints).toEqual([]);
    });
  });
});
