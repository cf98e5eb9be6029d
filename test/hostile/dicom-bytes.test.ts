// FAULTS.md 17 to 35 at the parser. Whatever comes, the answer is a parsed instance or a DicomError, in bounded time and memory.
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../../dicom/byte-source.js';
import { DicomError } from '../../dicom/dicom-error.js';
import { encodeLayout, frameRanges } from '../../dicom/layout.js';
import { INFLATED_FREELY_BYTES_MAX } from '../../dicom/limits.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';
import { dataset, element, header, imageElements, instance, part10, u32 } from '../support/dicom-bytes.js';
import { deflateBomb, PIXELS } from './dicom-makers.js';
import { refused } from './dicom-refused.js';
import { taken } from './dicom-taken.js';

function refusalOf(source: Uint8Array | ByteSource): unknown {
  try {
    parseInstance(source);
  } catch (error) {
    return error;
  }
  return null;
}

function ranged(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (start, end) => bytes.slice(start, end) };
}

describe('hostile DICOM bytes', () => {
  it.each(refused.map((one) => [one.name, one] as const))('refuses %s', (_, { bytes, fault }) => {
    const built = bytes();
    for (const source of [built, ranged(built)]) {
      const error = refusalOf(source);
      expect(error).toBeInstanceOf(DicomError);
      expect((error as DicomError).fault).toBe(fault);
      expect((error as DicomError).code).toBe(fault === 'LIMIT' ? 'LIMIT' : 'INVALID');
    }
  });

  it.each(taken.map((one) => [one.name, one] as const))('takes %s', (_, { bytes, warning }) => {
    const built = bytes();
    const started = process.cpuUsage();
    const parsed = parseInstance(built);
    // Processor time, since the machine may be busy. The slowest of them takes about 0.3 s.
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(3_000);
    expect(parsed.warnings.map(({ kind }) => kind)).toEqual(warning === null ? [] : expect.arrayContaining([warning]));
    expect(() => JSON.parse(parsed.json) as unknown).not.toThrow();
    const again = parseInstance(ranged(built));
    // As text: a million frames are compared in no time.
    expect(again.json === parsed.json && encodeLayout(again.layout) === encodeLayout(parsed.layout)).toBe(true);
    expect(again.warnings).toEqual(parsed.warnings);
  });

  it('30 takes Rows as UL, and frames beyond the bytes are not found', () => {
    const elements = imageElements(4, 4, '3').map((one) =>
      one.readUInt32LE(0) === 0x00100028 ? element(0x00280010, 'UL', u32(4)) : one,
    );
    const { layout } = parseInstance(instance([...elements, element(PIXELS, 'OW', Buffer.alloc(64))]));
    expect(frameRanges(layout, 2).ranges).toHaveLength(1);
    expect(() => frameRanges(layout, 3)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
    expect(() => frameRanges(layout, 0)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
  });

  it.each([
    ['a script tag', '<script>alert(1)</script>'],
    ['quotes and backslashes', '"\\"\\'],
    ['line ends', 'A\r\nSet-Cookie: x'],
    ['broken ISO 2022 escapes', 'A\x1b$B\x1b$)C\x1b'],
    ['invalid UTF-8', '\xff\xfe\xc3\x28'],
    ['control characters', Buffer.from(Array.from({ length: 32 }, (_, at) => at)).toString('latin1')],
  ])('32 a name with %s is well-formed JSON under every character set', (_, name) => {
    for (const charset of [
      '',
      'ISO_IR 100',
      'ISO_IR 192',
      'GB18030',
      'ISO 2022 IR 6\\ISO 2022 IR 87',
      'ISO_IR 13',
      '\x1b$B',
    ]) {
      const bytes = instance([
        element(0x00080005, 'CS', charset),
        element(0x00100010, 'PN', name),
        element(0x00104000, 'LT', name),
      ]);
      const { json } = parseInstance(bytes);
      expect(() => JSON.parse(json) as unknown).not.toThrow();
      expect(Buffer.from(json).toString()).toBe(json);
    }
  });

  it('32 a refusal names no value', () => {
    const error = refusalOf(part10(dataset([element(0x00100010, 'PN', 'SECRET^NAME')], { studyUid: 'SECRET/../x' })));
    expect(String(error)).not.toContain('SECRET');
  });

  it('33 a keyword that is a prototype name has no tag', async () => {
    const { tagOfKeyword, keywordOf, vrOf } = await import('../../dicom/dictionary.js');
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect([tagOfKeyword(name), keywordOf(name), vrOf(name)]).toEqual([undefined, undefined, undefined]);
    }
  });

  it('35 a 5 GiB multi-frame is parsed from its header pages alone', () => {
    const frames = 10_240;
    const head = instance([...imageElements(512, 512, String(frames)), header(PIXELS, 'OW', 0)]);
    const size = head.length + frames * 512 * 512 * 2 - 2 ** 31;
    // A length field holds less than 4 GiB: 5 GiB of pixels is declared as what is left of it.
    head.writeUInt32LE(size - head.length, head.length - 4);
    let bytesRead = 0;
    const source: ByteSource = {
      size,
      read: (start, end) => {
        bytesRead += end - start;
        const page = Buffer.alloc(end - start);
        head.copy(page, 0, start, Math.min(end, head.length));
        return page;
      },
    };
    const { layout } = parseInstance(source);
    expect(bytesRead).toBeLessThan(1 << 20);
    expect(frameRanges(layout, 6_000).ranges[0]?.start).toBe(head.length + 5_999 * 512 * 512 * 2);
  });

  it('25 a deflate bomb raises memory by no more than the bound on what is inflated', () => {
    const script = `
      import { readFileSync } from 'node:fs';
      import { parseInstance } from ${JSON.stringify(new URL('../../dicom/scan/parse-instance.js', import.meta.url).href)};
      const bytes = readFileSync(0);
      const before = process.resourceUsage().maxRSS;
      let fault = '';
      try { parseInstance(bytes); } catch (error) { fault = error.fault; }
      console.log(JSON.stringify({ fault, grownKiB: process.resourceUsage().maxRSS - before }));
    `;
    const input = deflateBomb();
    expect(input.length).toBeLessThan(1 << 20);
    const answer = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', input });
    const { fault, grownKiB } = JSON.parse(answer) as { fault: string; grownKiB: number };
    expect(fault).toBe('LIMIT');
    expect(grownKiB * 1024).toBeLessThan(2 * INFLATED_FREELY_BYTES_MAX + (32 << 20));
  });
});
