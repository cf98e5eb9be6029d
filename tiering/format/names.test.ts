import { describe, expect, it } from 'vitest';
import { parsePackId, parseSha256 } from '../core/ids.js';
import {
  CONFIG_NAME,
  chunkName,
  encodeConfig,
  holdName,
  manifestName,
  manifestPrefix,
  parseChunkName,
  parseConfig,
  parseManifestName,
  parseStatementName,
  README_NAME,
  readmeText,
  tombstoneName,
} from './names.js';

const pack = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ab');
const sha256 = parseSha256(`ab12cd34${'0'.repeat(56)}`);
const archiveId = '2b1d6a0e-5a53-4a3c-9b1e-0123456789ab';

describe('object names', () => {
  it('have the form of the format and parse back', () => {
    expect(chunkName(sha256)).toBe(`c/ab/${sha256}`);
    expect(parseChunkName(chunkName(sha256))).toBe(sha256);
    expect(manifestName(pack, 12, sha256)).toBe(`m/${pack}/12-ab12cd34`);
    expect(parseManifestName(manifestName(pack, 12, sha256))).toEqual({ pack, generation: 12, hash8: 'ab12cd34' });
    expect(manifestName(pack, 12, sha256).startsWith(manifestPrefix(pack))).toBe(true);
    expect(tombstoneName(7, sha256)).toBe(`t/7-${sha256}`);
    expect(parseStatementName(tombstoneName(7, sha256))).toEqual({ kind: 'tombstone', seq: 7, sha256 });
    expect(parseStatementName(holdName(7, sha256))).toEqual({ kind: 'hold', seq: 7, sha256 });
    expect([CONFIG_NAME, README_NAME]).toEqual(['config', 'README.txt']);
  });

  it.each([
    `c/aa/${sha256}`,
    `c/${sha256}`,
    `c/ab/${sha256.toUpperCase()}`,
    `c/ab/${sha256}.tmp`,
    `m/${pack}/0-ab12cd34`,
    `m/${pack}/01-ab12cd34`,
    `m/${pack}/1-ab12cd3`,
    `m/${pack}/1`,
    'm/018f5e2a-7b00-4123-8abc-0123456789ab/1-ab12cd34',
    `t/0-${sha256}`,
    't/7-ab',
    '',
    'x',
  ])('of another form are foreign: %s', (name) => {
    expect([parseChunkName(name), parseManifestName(name), parseStatementName(name)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it.each([0, -1, 1.5, 2 ** 60])('are not made for the generation %d', (generation) => {
    expect(() => manifestName(pack, generation, sha256)).toThrow(expect.objectContaining({ code: 'INVALID' }));
  });
});

describe('the replica config', () => {
  it('reads back as it was written', () => {
    for (const suites of [[1], [2], [1, 2]]) {
      const config = { formatVersion: 1, archiveId, ownerEpoch: 3, generation: 0, suites };
      expect(parseConfig(encodeConfig(config))).toEqual(config);
    }
    const before = `{"formatVersion":1,"archiveId":"${archiveId}","ownerEpoch":3}\n`;
    expect(parseConfig(Buffer.from(before))).toMatchObject({ suites: [1] });
  });

  it.each([
    ['nothing', '', 'CORRUPT'],
    ['no JSON', '<Error/>', 'CORRUPT'],
    ['no archive', '{"formatVersion":1,"ownerEpoch":1}', 'CORRUPT'],
    ['a later format', `{"formatVersion":2,"archiveId":"${archiveId}","ownerEpoch":1}`, 'NOT_SUPPORTED'],
    [
      'a suite that is none',
      `{"formatVersion":1,"archiveId":"${archiveId}","ownerEpoch":1,"suites":["aes"]}`,
      'CORRUPT',
    ],
    ['a negative epoch', `{"formatVersion":1,"archiveId":"${archiveId}","ownerEpoch":-1}`, 'CORRUPT'],
  ])('with %s is refused', (_, text, code) => {
    expect(() => parseConfig(Buffer.from(text))).toThrow(expect.objectContaining({ code }));
  });
});

describe('the README of a replica', () => {
  it('names the archive and the command that opens it', () => {
    expect(readmeText(archiveId)).toContain(archiveId);
    expect(readmeText(archiveId)).toContain('filmroom extract --replica URL --keyring');
  });
});
