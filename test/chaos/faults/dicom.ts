// Files that are broken or hostile: those of the parser's own suites (test/hostile), sent to the real server. What is refused leaves nothing;
// what must be taken in spite of its looks comes back to the bit.
import { createHash } from 'node:crypto';
import { phantomMultiframe } from '../../../dicom/phantom/phantom.js';
import { get, search, sha256Of } from '../../e2e/gateway-clients.js';
import { refused } from '../../hostile/dicom-refused.js';
import { taken } from '../../hostile/dicom-taken.js';
import { element, instance } from '../../support/dicom-bytes.js';
import { retrieve, stow } from '../../support/stow.js';
import type { Fault } from '../fault.js';
import { input, takeAway } from '../input.js';
import type { Site } from '../site.js';

interface File {
  readonly name: string;
  readonly bytes: () => Uint8Array;
}

const TITLES: Readonly<Record<number, string>> = {
  17: 'Files that are no DICOM',
  18: 'Programs and pages in the preamble',
  19: 'Explicit VR that is cut off',
  20: 'Implicit VR that is cut off',
  21: 'Lengths that lie',
  22: 'A group length that lies',
  23: 'Sequences nested without end',
  24: 'Elements and fragments by the million',
  25: 'Deflate bombs and broken deflate streams',
  26: 'Transfer syntaxes that are wrong or contradicted',
  27: 'Identity twice, hidden or out of order',
  28: 'UIDs that are none',
  29: 'Another UID in the file meta information',
  30: 'Image sizes that overflow',
  31: 'Value representations that do not exist',
  32: 'A value of 10 MiB',
  34: 'Encapsulated pixel data that end too early',
};

const of = <T extends File>(files: readonly T[], number: number) =>
  files.filter(({ name }) => name.startsWith(`${number} `));

function means(files: readonly File[]): string {
  const [first] = files;
  const name = first?.name.replace(/^\d+ /, '') ?? '';
  return files.length === 1 ? name : `${files.length} files: ${name}, …`;
}

/** The outcome of one file that must be refused: what was answered, and whether anything is found of it. */
async function refuse(site: Site, file: File): Promise<string> {
  const { status, stored } = await stow(site.url, [file.bytes()]);
  return stored.length === 0 ? String(status) : `${file.name} was stored`;
}

/** One that must be taken: it comes back to the bit, and is deleted. */
async function take(site: Site, { name, bytes }: File): Promise<string> {
  const sent = bytes();
  const { status, stored } = await stow(site.url, [sent]);
  const sop = stored[0];
  if (sop === undefined) return `${name}: ${status}`;
  const [row] = await search(site.url, `instances?SOPInstanceUID=${sop}`);
  const uid = (tag: string) => String(row?.[tag]?.Value?.[0]);
  const one = { study: uid('0020000D'), series: uid('0020000E'), sop };
  const equal = sha256Of(await retrieve(site.url, one)) === sha256Of(sent);
  await takeAway(site, one.study);
  return equal ? String(status) : `${name}: other bytes`;
}

async function each(files: readonly File[], work: (file: File) => Promise<string>): Promise<string> {
  const seen = new Set<string>();
  for (const file of files) seen.add(await work(file));
  return [...seen].sort().join(', ');
}

function refusal(number: number): Fault[] {
  const files = of(refused, number);
  if (files.length === 0) return [];
  return [
    input({
      name: TITLES[number] ?? '',
      number,
      kind: 'dicom',
      means: means(files),
      expected: 'refused, nothing is left of them',
      send: (site) => each(files, (file) => refuse(site, file)),
      wants: /^(400|409)(, (400|409))?$/,
    }),
  ];
}

function acceptance(number: number): Fault[] {
  const files = of(taken, number);
  if (files.length === 0) return [];
  const both = of(refused, number).length > 0;
  return [
    input({
      name: `${TITLES[number] ?? ''}${both ? ', within what is allowed' : ''}`,
      number,
      kind: 'dicom',
      means: means(files),
      expected: 'stored as sent, to the bit',
      send: (site) => each(files, (file) => take(site, file)),
      wants: /^(200|202)(, 202)?$/,
    }),
  ];
}

const HOSTILE_NAMES = [
  '<script>alert(1)</script>',
  '"\\"\\',
  'A\r\nSet-Cookie: x',
  'A\x1b$B\x1b$)C\x1b',
  '\xff\xfe\xc3\x28',
];

const names = input({
  name: 'Hostile text in names',
  number: 32,
  kind: 'dicom',
  means: `${HOSTILE_NAMES.length} names: a script, quotes, line ends, broken ISO 2022, invalid UTF-8`,
  expected: 'stored as sent; metadata are well-formed JSON; no header, no log has them',
  send: async (site) => {
    const seen = new Set<string>();
    for (const name of HOSTILE_NAMES) {
      const bytes = instance([
        element(0x00080005, 'CS', 'ISO_IR 192'),
        element(0x00100010, 'PN', name),
        element(0x00104000, 'LT', name),
      ]);
      const answer = await stow(site.url, [bytes]);
      const metadata = await get(`${site.url}/dicomweb/studies/1.2/metadata`, 'application/dicom+json');
      const rows = (await metadata.json()) as unknown[];
      const injected = metadata.headers.get('set-cookie') !== null || site.gateway.output.includes('alert(1)');
      await takeAway(site, '1.2');
      seen.add(`${answer.status}, ${rows.length} in JSON${injected ? ', injected' : ''}`);
    }
    return [...seen].join('; ');
  },
  wants: /^200, 1 in JSON$/,
});

const MULTIFRAME_MIB = 160;

const multiframe = input({
  name: 'A long multi-frame',
  number: 35,
  kind: 'dicom',
  means: `one instance of ${MULTIFRAME_MIB} MiB (1 GiB in test/e2e/large-instance.test.ts)`,
  expected: 'streamed in constant memory; comes back to the bit',
  stage: 'patient',
  send: async (site) => {
    const phantom = phantomMultiframe({ seed: 9, bytes: MULTIFRAME_MIB * 2 ** 20 });
    const before = await site.gateway.residentBytes();
    const hash = createHash('sha256');
    const body = async function* () {
      for await (const piece of phantom.pieces) {
        hash.update(piece);
        yield piece;
      }
    };
    const headers = { 'content-type': 'application/dicom', accept: 'application/dicom+json' };
    const init = { method: 'POST', headers, body: body(), duplex: 'half' };
    const stored = await fetch(`${site.url}/dicomweb/studies`, init as unknown as RequestInit);
    await stored.arrayBuffer();
    const equal = sha256Of(await retrieve(site.url, phantom)) === hash.digest('hex');
    const grown = Math.round(((await site.gateway.residentBytes()) - before) / 2 ** 20);
    await takeAway(site, phantom.study);
    return `${stored.status}, ${equal ? 'equal' : 'other bytes'}, ${grown < MULTIFRAME_MIB ? 'memory in bounds' : `grew ${grown} MiB`}`;
  },
  wants: /^200, equal, memory in bounds$/,
});

const NUMBERS = Object.keys(TITLES).map(Number);

export const dicomFaults: readonly Fault[] = [
  ...NUMBERS.flatMap((number) => [...refusal(number), ...acceptance(number)]),
  names,
  multiframe,
];
