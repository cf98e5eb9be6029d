// The conformance statement says what the code does: its tables are made from the code's own, and compared with what the document has.
// `UPDATE=1 npx vitest run dist/test/house/conformance.test.js` writes them anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CODEC_LIBRARIES, codecOf } from '../../dicom/codecs/codec-table.js';
import { keywordOf } from '../../dicom/dictionary.js';
import { LEVEL_TAGS } from '../../dicom/level-attributes.js';
import { TRANSFER_SYNTAXES } from '../../dicom/transfer-syntax.js';
import { DEFAULT_LIMITS } from '../../dicomweb/limits.js';

const PATH = fileURLToPath(new URL('../../../docs/conformance.md', import.meta.url));

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

const dotted = (tag: string) => `(${tag.slice(0, 4)},${tag.slice(4)})`;

const TABLES: Readonly<Record<string, () => string>> = {
  syntaxes: () =>
    table(
      ['Transfer syntax', 'UID', 'Frames as', 'Decode', 'Encode', 'Library (licence)'],
      TRANSFER_SYNTAXES.map(({ uid, name, mediaType, video }) => {
        const row = codecOf(uid);
        const library = row === undefined ? null : CODEC_LIBRARIES[row.codec];
        return [
          name,
          uid,
          mediaType,
          row === undefined ? (video ? 'no; rendered as video' : 'no') : 'yes',
          row?.encodes === true ? (row.lossless ? 'yes' : 'with loss') : 'no',
          library === null ? '' : library.licence === '' ? library.library : `${library.library} (${library.licence})`,
        ];
      }),
    ),
  levels: () =>
    table(
      ['Level', 'Attributes'],
      (['study', 'series', 'instance'] as const).map((level) => [
        level,
        LEVEL_TAGS[level].map((tag) => `${dotted(tag)} ${keywordOf(tag) ?? ''}`.trim()).join(', '),
      ]),
    ),
  limits: () =>
    table(
      ['Limit', 'Value'],
      [
        ['Path', `${DEFAULT_LIMITS.pathBytesMax} bytes`],
        ['Query', `${DEFAULT_LIMITS.queryBytesMax} bytes, ${DEFAULT_LIMITS.queryParametersMax} parameters`],
        ['Values of one key', `${DEFAULT_LIMITS.matchValuesMax}`],
        ['Included attributes', `${DEFAULT_LIMITS.includeFieldsMax}`],
        ['Matches without `limit`', `${DEFAULT_LIMITS.queryRowsDefault} of the whole archive`],
        ['Matches in one answer', `${DEFAULT_LIMITS.queryRowsMax}`],
        ['Frames in one request', `${DEFAULT_LIMITS.framesPerRequestMax}`],
        ['Parts of one store request', `${DEFAULT_LIMITS.partsMax}`],
      ],
    ),
};

function marked(name: string): RegExp {
  return new RegExp(`<!-- ${name} -->\n+(?:\\|.*\n)*`);
}

describe('docs/conformance.md', () => {
  it.each(Object.keys(TABLES))('has the table of %s as the code has it', (name) => {
    const text = readFileSync(PATH, 'utf8');
    const made = `<!-- ${name} -->\n\n${TABLES[name]?.() ?? ''}\n`;
    expect(text).toMatch(marked(name));
    if (process.env['UPDATE'] === '1')
      writeFileSync(
        PATH,
        text.replace(marked(name), () => made),
      );
    else expect(marked(name).exec(text)?.[0]).toBe(made);
  });
});
