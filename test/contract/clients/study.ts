// What the clients' requests are asked of: phantoms of each kind, and four small objects for what phantoms have not.
import { type PhantomInstance, phantomStudies } from '../../../dicom/phantom/phantom.js';
import { noise } from '../../support/dicomweb-samples.js';
import { buildPart10, type Element, encodeElement } from '../../support/part10-builder.js';

export const EXPLICIT = '1.2.840.10008.1.2.1';
export const RLE = '1.2.840.10008.1.2.5';
export const JPEG_LS = '1.2.840.10008.1.2.4.80';
const MPEG4 = '1.2.840.10008.1.2.4.102';

const phantoms = [...phantomStudies({ seed: 404, studies: 5, slices: 3, shrink: 16 })];

function phantom(modality: string, transferSyntax?: string): PhantomInstance {
  const found = phantoms.find(
    (one) => one.modality === modality && (transferSyntax ?? one.transferSyntax) === one.transferSyntax,
  );
  if (found === undefined) throw new Error(`no phantom ${modality}`);
  return found;
}

/** Native CT slices with a report beside them, the follow-up in RLE, a mammogram of 104 KiB, an MR in implicit VR. */
export const ct = phantom('CT');
export const rle = phantom('CT', RLE);
export const loop = phantom('US', RLE);
export const mammogram = phantom('MG');
export const mr = phantom('MR');

const item = (elements: readonly Element[]) => {
  const bytes = Buffer.concat(elements.map(encodeElement));
  const head = Buffer.from('feff00e000000000', 'hex');
  head.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
};

/** Bytes two sequences deep and at the top, too many to be inline. */
export const NESTED = noise(40_000, 1);
export const nested = {
  study: '2.25.404',
  series: '2.25.404.1',
  sop: '2.25.404.1.1',
  bytes: buildPart10({
    study: '2.25.404',
    series: '2.25.404.1',
    sop: '2.25.404.1.1',
    elements: [
      ['00290010', 'LO', 'NESTED'],
      [
        '00291001',
        'SQ',
        item([
          ['00290010', 'LO', 'NESTED'],
          [
            '00291002',
            'SQ',
            item([
              ['00290010', 'LO', 'NESTED'],
              ['00291003', 'OB', NESTED],
            ]),
          ],
        ]),
      ],
    ],
  }),
};

export const PDF = Buffer.concat([Buffer.from('%PDF-1.7\n'), noise(40_000, 2)]);
export const pdf = {
  study: '2.25.405',
  series: '2.25.405.1',
  sop: '2.25.405.1.1',
  bytes: buildPart10({
    study: '2.25.405',
    series: '2.25.405.1',
    sop: '2.25.405.1.1',
    sopClass: '1.2.840.10008.5.1.4.1.1.104.1',
    elements: [
      ['00080060', 'CS', 'DOC'],
      ['00420011', 'OB', PDF],
      ['00420012', 'LO', 'application/pdf'],
    ],
  }),
};

/** As much of an MP4 as tells what it is. */
export const MP4 = Buffer.concat([
  Buffer.from('00000018667479706d703432000000006d70343269736f6d', 'hex'),
  noise(40_000, 3),
]);
export const video = {
  study: '2.25.406',
  series: '2.25.406.1',
  sop: '2.25.406.1.1',
  bytes: buildPart10({
    study: '2.25.406',
    series: '2.25.406.1',
    sop: '2.25.406.1.1',
    sopClass: '1.2.840.10008.5.1.4.1.1.77.1.4.1',
    transferSyntax: MPEG4,
    elements: [
      ['00080060', 'CS', 'XC'],
      ['00280002', 'US', 3],
      ['00280004', 'CS', 'YBR_PARTIAL_420'],
      ['00280006', 'US', 0],
      ['00280008', 'IS', '25'],
      ['00280010', 'US', 1080],
      ['00280011', 'US', 1920],
      ['00280100', 'US', 8],
      ['00280101', 'US', 8],
      ['00280102', 'US', 7],
      ['00280103', 'US', 0],
      ['7FE00010', 'OB', [MP4]],
    ],
  }),
};

/** Everything that is stored before the first request. */
export const files: readonly Uint8Array[] = [...phantoms, nested, pdf, video].map(({ bytes }) => bytes);

/** Instances stored of a series or study. */
export const stored = (where: { readonly study?: string; readonly series?: string }) =>
  phantoms.filter(({ study, series }) => study === (where.study ?? study) && series === (where.series ?? series));

type Place = { readonly study: string; readonly series: string; readonly sop: string };
export const studyPath = ({ study }: Pick<Place, 'study'>) => `/dicomweb/studies/${study}`;
export const seriesPath = (one: Place) => `${studyPath(one)}/series/${one.series}`;
export const path = (one: Place) => `${seriesPath(one)}/instances/${one.sop}`;
