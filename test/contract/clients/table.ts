// The header table: what each client sends, to the letter, and the Content-Type that it must get, to the letter. Read from their sources in
// November 2026.
import {
  ct,
  EXPLICIT,
  JPEG_LS,
  loop,
  mammogram,
  mr,
  path,
  pdf,
  RLE,
  rle,
  seriesPath,
  stored,
  studyPath,
  video,
} from './study.js';

export interface Line {
  readonly client: string;
  readonly what: string;
  readonly path: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 200. */
  readonly status?: number;
  /** Content-Type of the answer; of a multipart answer, up to its boundary. */
  readonly type?: string;
  /** Content-Type of every part, and how many there are. */
  readonly part?: string;
  readonly parts?: number;
}

const OCTETS = 'application/octet-stream';
const JSON_TYPE = 'application/dicom+json';
const multipart = (type: string) => `multipart/related; type="${type}"; boundary=`;
const octets = { type: multipart(OCTETS), part: `${OCTETS};transfer-syntax=${EXPLICIT}`, parts: 1 };
const dicom = { type: multipart('application/dicom'), part: `application/dicom;transfer-syntax=${EXPLICIT}` };
const storedOctets = { ...octets, part: `${OCTETS};transfer-syntax=${RLE}` };
const ofSeries = stored(ct).length;
const ofStudy = stored({ study: ct.study }).length;

function ohif(what: string, line: Omit<Line, 'client' | 'what'>): Line {
  return { client: 'OHIF', what, ...line };
}

const INCLUDED = 'includefield=00081030%2C00080060%2C00080090%2C00100030';
const LIST = `/dicomweb/studies?limit=101&offset=0&fuzzymatching=false&${INCLUDED}`;

const OHIF: readonly Line[] = [
  ohif('work list', { path: LIST, accept: JSON_TYPE, type: JSON_TYPE }),
  ...[
    'PatientName=*l*',
    '00100020=*PH*',
    'AccessionNumber=A*',
    'StudyDescription=*chest*',
    'ModalitiesInStudy=CT,MR',
    'ModalitiesInStudy=CT%5CMR',
    'StudyDate=19700102-20991231',
    `StudyInstanceUID=${ct.study}%5C${mr.study}`,
    `StudyInstanceUID=${ct.study},${mr.study}`,
  ].map((query) =>
    ohif(`work list with ${query.split('=')[0]}`, { path: `${LIST}&${query}`, accept: JSON_TYPE, type: JSON_TYPE }),
  ),
  ohif('series list', {
    path: `${studyPath(ct)}/series?includefield=0008103E%2C00080021`,
    accept: JSON_TYPE,
    type: JSON_TYPE,
  }),
  ohif('one series of the list', {
    path: `${studyPath(ct)}/series?SeriesInstanceUID=${ct.series}`,
    accept: JSON_TYPE,
    type: JSON_TYPE,
  }),
  ohif('metadata with a user header appended', {
    path: `${seriesPath(ct)}/metadata`,
    accept: `${JSON_TYPE}, multipart/related; type="${OCTETS}"; transfer-syntax="*"`,
    type: JSON_TYPE,
  }),
  ohif('metadata of a study', { path: `${studyPath(ct)}/metadata`, accept: JSON_TYPE, type: JSON_TYPE }),
  ohif('frames, quoted', {
    path: `${path(rle)}/frames/1`,
    accept: `multipart/related; type="${OCTETS}"; transfer-syntax="*"`,
    ...storedOctets,
  }),
  ohif('frames, unquoted', {
    path: `${path(rle)}/frames/1`,
    accept: `multipart/related; type=${OCTETS}; transfer-syntax=*`,
    ...storedOctets,
  }),
  ohif('frames in a syntax of its choice, or any', {
    path: `${path(ct)}/frames/1`,
    accept: `multipart/related; type="image/jls"; transfer-syntax="${JPEG_LS}"; transfer-syntax="*"`,
    type: multipart('image/jls'),
    part: `image/jls;transfer-syntax=${JPEG_LS}`,
    parts: 1,
  }),
  ohif('frames by the type of RLE', {
    path: `${path(rle)}/frames/1`,
    accept: `multipart/related; type="image/dicom-rle"; transfer-syntax="${RLE}"; transfer-syntax="*"`,
    type: multipart('image/dicom-rle'),
    part: `image/dicom-rle;transfer-syntax=${RLE}`,
    parts: 1,
  }),
  ohif('thumbnail by query, which beats the header', {
    path: `${path(rle)}/thumbnail?accept=image%2Fjpeg`,
    accept: `multipart/related; type="${OCTETS}"`,
    type: 'image/jpeg',
  }),
  ohif('rendered by query, which beats the header', {
    path: `${path(ct)}/rendered?accept=image%2Fjpeg`,
    accept: `multipart/related; type="${OCTETS}"; transfer-syntax="*"`,
    type: 'image/jpeg',
  }),
  ...[
    ['an instance', path(ct)],
    ['a series', seriesPath(ct)],
    ['a study', studyPath(ct)],
  ].map(([name, where]) =>
    ohif(`fetched thumbnail of ${name}`, {
      path: `${where}/thumbnail?viewport=256%2C256`,
      accept: 'image/jpeg',
      type: 'image/jpeg',
    }),
  ),
  ohif('first instance of a series, when it has no thumbnail', {
    path: `${seriesPath(ct)}/instances?limit=1&includefield=00080018`,
    accept: JSON_TYPE,
    type: JSON_TYPE,
  }),
  ohif('video by fetch', { path: `${path(video)}/rendered`, accept: '*/*', type: 'video/mp4' }),
  ohif('video by fetch, without Accept', { path: `${path(video)}/rendered`, type: 'video/mp4' }),
  ohif('video by its BulkDataURI', {
    path: `${path(video)}/bulkdata/7FE00010?accept=video/mp4`,
    type: 'video/mp4;transfer-syntax=1.2.840.10008.1.2.4.102',
  }),
  ohif('video in parts', {
    path: `${path(video)}/bulkdata/7FE00010`,
    accept: `multipart/related; type="video/mp4", multipart/related; type="${OCTETS}"`,
    type: multipart('video/mp4'),
    part: `video/mp4;transfer-syntax=1.2.840.10008.1.2.4.102`,
    parts: 1,
  }),
  ohif('PDF by fetch', { path: `${path(pdf)}/rendered`, accept: '*/*', type: 'application/pdf' }),
];

const CORNERSTONE: readonly Line[] = [
  {
    what: 'frame',
    path: `${path(ct)}/frames/1`,
    accept: `multipart/related; type=${OCTETS}; transfer-syntax=*`,
    ...octets,
  },
  {
    what: 'frame by query alone',
    path: `${path(rle)}/frames/1?accept=${OCTETS};transfer-syntax=*`,
    type: `${OCTETS};transfer-syntax=${RLE}`,
  },
  {
    what: 'frame as a single part',
    path: `${path(rle)}/frames/1`,
    accept: 'image/dicom-rle',
    type: `image/dicom-rle;transfer-syntax=${RLE}`,
  },
  {
    what: 'single part to be streamed',
    path: `${path(mammogram)}/frames/1`,
    accept: `${OCTETS}; transfer-syntax=*`,
    type: `${OCTETS};transfer-syntax=${EXPLICIT}`,
  },
  { what: 'rendered in place of a frame', path: `${path(loop)}/rendered/2`, accept: '*/*', type: 'image/jpeg' },
  { what: 'thumbnail in place of a frame', path: `${path(loop)}/thumbnail/2`, accept: '*/*', type: 'image/jpeg' },
].map((line) => ({ client: 'Cornerstone3D', ...line }));

const SCRIPT: readonly Line[] = [
  { what: 'instance', path: path(mr), accept: 'multipart/related; type="application/dicom"', ...dicom, parts: 1 },
  {
    what: 'study',
    path: studyPath(ct),
    accept: 'multipart/related; type="application/dicom"',
    ...dicom,
    parts: ofStudy,
  },
  {
    what: 'instance, its syntax without quotes',
    path: path(rle),
    accept: `multipart/related; type="application/dicom"; transfer-syntax=${RLE}`,
    ...dicom,
    part: `application/dicom;transfer-syntax=${RLE}`,
    parts: 1,
  },
  { what: 'nothing found', path: '/dicomweb/studies?PatientID=nobody', accept: JSON_TYPE, status: 204 },
].map((line) => ({ client: 'dicomweb-client (JS)', ...line }));

const PYTHON: readonly Line[] = [
  { what: 'search', path: '/dicomweb/studies', accept: `${JSON_TYPE}, application/json`, type: JSON_TYPE },
  {
    what: 'page past the end',
    path: '/dicomweb/instances?offset=100000',
    accept: `${JSON_TYPE}, application/json`,
    status: 204,
  },
  { what: 'metadata', path: `${seriesPath(ct)}/metadata`, accept: `${JSON_TYPE}, application/json`, type: JSON_TYPE },
  {
    client: 'MONAI Label',
    what: 'all CT series',
    path: '/dicomweb/series?Modality=CT',
    accept: `${JSON_TYPE}, application/json`,
    type: JSON_TYPE,
  },
  {
    client: 'MONAI Label',
    what: 'series without a word of its syntax',
    path: seriesPath(rle),
    accept: 'multipart/related; type="application/dicom"',
    ...dicom,
    parts: stored(rle).length,
  },
  {
    client: 'MONAI Label',
    what: 'frame without a word of its syntax',
    path: `${path(rle)}/frames/1`,
    accept: `multipart/related; type="${OCTETS}"`,
    ...octets,
  },
  {
    client: '3D Slicer',
    what: 'series of a study',
    path: `${studyPath(ct)}/series`,
    accept: `${JSON_TYPE}, application/json`,
    type: JSON_TYPE,
  },
  {
    client: '3D Slicer',
    what: 'instance',
    path: path(ct),
    accept: 'multipart/related; type="application/dicom"',
    ...dicom,
    parts: 1,
  },
].map((line) => ({ client: 'dicomweb-client (Python)', ...line }));

const WEASIS: readonly Line[] = [
  {
    what: 'study by hex tag, raw commas',
    path: `/dicomweb/studies?0020000D=${ct.study}&includefield=00080020,00080030,00080050,00080061,00080090,00081030,00100010`,
    accept: JSON_TYPE,
    type: JSON_TYPE,
  },
  {
    what: 'study with repeated includefield',
    path: `/dicomweb/studies?0020000D=${ct.study},${mr.study}&includefield=00080020&includefield=00081030`,
    accept: JSON_TYPE,
    type: JSON_TYPE,
  },
  {
    what: 'patient with an issuer',
    path: '/dicomweb/studies?00100020=PH*&00100021=nobody',
    accept: JSON_TYPE,
    status: 204,
  },
  {
    what: 'series, extension unset',
    path: seriesPath(ct),
    accept: 'multipart/related;type="application/dicom";null',
    ...dicom,
    parts: ofSeries,
  },
  {
    what: 'series in a syntax of its choice',
    path: seriesPath(rle),
    accept: 'multipart/related;type="application/dicom";transfer-syntax=*',
    ...dicom,
    part: `application/dicom;transfer-syntax=${RLE}`,
    parts: stored(rle).length,
  },
  { what: 'thumbnail', path: `${path(ct)}/thumbnail?viewport=128%2C128`, accept: 'image/jpeg', type: 'image/jpeg' },
  {
    what: 'rendered in its place',
    path: `${path(ct)}/rendered?viewport=128%2C128`,
    accept: 'image/jpeg',
    type: 'image/jpeg',
  },
].map((line) => ({ client: 'Weasis', ...line }));

export const TABLE: readonly Line[] = [...OHIF, ...CORNERSTONE, ...SCRIPT, ...PYTHON, ...WEASIS];
