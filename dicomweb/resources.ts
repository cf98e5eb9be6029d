// The resources of PS3.18 10.1.1 as the capabilities describe them: their URI templates, the transactions on them, and the media
// types of each. Which of them this server has is not said here: the router and the handlers are asked.

export interface Transaction {
  /** As table H-1 names it. */
  readonly name: string;
  /** Query parameters. */
  readonly parameters: readonly string[];
  /** Media types of the request body, in the spelling of PS3.18 10.5.3. */
  readonly takes: readonly string[];
  /** Media types of the answer, the default first. */
  readonly gives: readonly string[];
}

export interface ResourceEntry {
  /** Below the base URI of the service. */
  readonly path: string;
  readonly methods: Readonly<Partial<Record<'GET' | 'POST' | 'DELETE', Transaction>>>;
}

const JSON_TYPES = ['application/dicom+json', 'application/json'];
const SEARCH_TYPES = [...JSON_TYPES, 'multipart/related; type="application/dicom+xml"'];
const METADATA_TYPES = [...JSON_TYPES, 'multipart/related; type="application/dicom+xml"'];
const INSTANCES = ['multipart/related; type="application/dicom"', 'application/zip'];
const PIXELS = ['application/octet-stream', 'image/jls', 'image/jp2', 'image/jphc', 'image/dicom-rle', 'image/jpeg'];
const multipart = (type: string): string => `multipart/related; type="${type}"`;
const IMAGES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];
/** Several images in parts, or one item alone; documents and video as what they are (8.7.4). */
const RENDERED = [...IMAGES.map(multipart), ...IMAGES, 'video/mp4', 'application/pdf', 'text/html', 'text/plain'];
const STORED = ['application/dicom', 'application/dicom+json', 'application/dicom+xml'].map(multipart);
const LOOKS = ['accept', 'annotation', 'quality', 'viewport', 'window'];
const SEARCHES = ['{attributeID}', 'includefield', 'fuzzymatching', 'emptyvaluematching', 'limit', 'offset', 'accept'];

const transaction = (
  name: string,
  gives: readonly string[],
  parameters: readonly string[] = ['accept'],
): Transaction => ({
  name,
  parameters,
  takes: [],
  gives,
});
const store = (name: string): Transaction => ({
  name,
  parameters: [],
  takes: [...STORED, 'application/dicom'],
  gives: ['application/dicom+json', 'application/dicom+xml'],
});
const search = (name: string): Transaction => transaction(name, SEARCH_TYPES, SEARCHES);
const remove = (name: string): Transaction => transaction(name, [], []);

/** What hangs below a study, a series and an instance alike. */
function leaves(base: string, level: 'Study' | 'Series' | 'Instance'): readonly ResourceEntry[] {
  const retrieve = (
    path: string,
    name: string,
    gives: readonly string[],
    parameters?: readonly string[],
  ): ResourceEntry => ({
    path: `${base}/${path}`,
    methods: { GET: transaction(`Retrieve ${name}`, gives, parameters) },
  });
  return [
    retrieve('metadata', `${level} Metadata`, METADATA_TYPES, ['includefield', 'accept']),
    retrieve('rendered', `Rendered ${level}`, level === 'Instance' ? RENDERED : IMAGES.map(multipart), LOOKS),
    retrieve('thumbnail', `${level} Thumbnail`, ['image/jpeg', 'image/png'], LOOKS),
    retrieve('bulkdata', `${level} Bulkdata`, PIXELS.map(multipart)),
    retrieve('pixeldata', `${level} Pixel Data`, PIXELS.map(multipart)),
  ];
}

const STUDY = 'studies/{study}';
const SERIES = `${STUDY}/series/{series}`;
const INSTANCE = `${SERIES}/instances/{instance}`;
const FRAMES = `${INSTANCE}/frames/{frames}`;

/** Parents come before their children. */
export const RESOURCES: readonly ResourceEntry[] = [
  { path: 'studies', methods: { GET: search('Search for Studies'), POST: store('Store Instances') } },
  {
    path: STUDY,
    methods: {
      GET: transaction('Retrieve Study', INSTANCES),
      POST: store('Store Study Instances'),
      DELETE: remove('Delete Study'),
    },
  },
  ...leaves(STUDY, 'Study'),
  { path: `${STUDY}/instances`, methods: { GET: search('Search for Study Instances') } },
  { path: `${STUDY}/series`, methods: { GET: search('Search for Study Series') } },
  { path: SERIES, methods: { GET: transaction('Retrieve Series', INSTANCES), DELETE: remove('Delete Series') } },
  ...leaves(SERIES, 'Series'),
  { path: `${SERIES}/instances`, methods: { GET: search('Search for Study Series Instances') } },
  {
    path: INSTANCE,
    methods: {
      GET: transaction('Retrieve Instance', [...INSTANCES, 'application/dicom']),
      DELETE: remove('Delete Instance'),
    },
  },
  ...leaves(INSTANCE, 'Instance'),
  {
    path: `${INSTANCE}/bulkdata/{bulkdata}`,
    methods: { GET: transaction('Retrieve Bulkdata', [...PIXELS, ...PIXELS.map(multipart)]) },
  },
  { path: FRAMES, methods: { GET: transaction('Retrieve Frames', [...PIXELS.map(multipart), ...PIXELS]) } },
  {
    path: `${FRAMES}/rendered`,
    methods: { GET: transaction('Retrieve Rendered Frames', [...IMAGES, ...IMAGES.map(multipart)], LOOKS) },
  },
  {
    path: `${FRAMES}/thumbnail`,
    methods: { GET: transaction('Retrieve Frames Thumbnail', ['image/jpeg', 'image/png'], LOOKS) },
  },
  { path: 'series', methods: { GET: search('Search for Series') } },
  { path: 'instances', methods: { GET: search('Search for Instances') } },
];

/** A path that the template stands for. */
export function examplePath({ path }: ResourceEntry): string {
  return path
    .replace('{frames}', '1')
    .replace('{bulkdata}', '7FE00010')
    .replaceAll(/\{\w+\}/g, '1.2');
}
