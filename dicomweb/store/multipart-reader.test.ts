import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../tiering/core/errors.js';
import { type PartLimits, parseBoundary, readParts } from './multipart-reader.js';

const LIMITS: PartLimits = { partsMax: 100, partHeaderBytesMax: 1024, partHeadersMax: 8, preambleBytesMax: 512 };

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

interface Read {
  readonly parts: { readonly headers: Record<string, string>; readonly body: string }[];
  readonly error: unknown;
}

async function readAll(bytes: Buffer, size: number, boundary = 'bn', limits = LIMITS): Promise<Read> {
  const parts: Read['parts'] = [];
  try {
    for await (const part of readParts(inChunks(bytes, size), boundary, limits)) {
      const pieces: Uint8Array[] = [];
      for await (const piece of part.body) pieces.push(Uint8Array.from(piece));
      parts.push({ headers: Object.fromEntries(part.headers), body: Buffer.concat(pieces).toString('latin1') });
    }
    return { parts, error: null };
  } catch (error) {
    return { parts, error };
  }
}

const SIZES = [1, 7, Number.MAX_SAFE_INTEGER];
const H = 'Content-Type: application/dicom\r\n';
const bodies = (read: Read) => read.parts.map((part) => part.body);

describe.each(SIZES)('readParts at chunks of %d bytes', (size) => {
  it.each<[string, string, string[]]>([
    ['two plain parts', `--bn\r\n${H}\r\none\r\n--bn\r\n${H}\r\ntwo\r\n--bn--\r\n`, ['one', 'two']],
    ['a leading CRLF', `\r\n--bn\r\n${H}\r\none\r\n--bn--\r\n`, ['one']],
    ['a preamble', `This is MIME.\r\nIgnore --bn here\r\n--bn\r\n${H}\r\none\r\n--bn--`, ['one']],
    ['an epilogue', `--bn\r\n${H}\r\none\r\n--bn--\r\nand so on\r\n--bn\r\n\r\nnot a part`, ['one']],
    ['no final CRLF', `--bn\r\n${H}\r\none\r\n--bn--`, ['one']],
    ['white space after the boundary', `--bn \t\r\n${H}\r\none\r\n--bn  \r\n${H}\r\ntwo\r\n--bn--`, ['one', 'two']],
    ['a part without headers', '--bn\r\n\r\none\r\n--bn--', ['one']],
    ['an empty body', `--bn\r\n${H}\r\n\r\n--bn--`, ['']],
    ['an empty body whose empty line is also the line end', `--bn\r\n${H}\r\n--bn\r\n${H}\r\nx\r\n--bn--`, ['', 'x']],
    ['no headers and no body', '--bn\r\n\r\n--bn\r\n\r\n\r\n--bn--', ['', '']],
    ['a multipart of nothing', '--bn--', []],
    [
      'bodies full of near-boundaries',
      `--bn\r\n\r\n\r\n--b\r\n--bnX\r\n--bn-\n--bn\r\r\n\r\n\r\n--bn\r\n\r\n\n--bn--\r\r\n--bn--`,
      ['\r\n--b\r\n--bnX\r\n--bn-\n--bn\r\r\n\r\n', '\n--bn--\r'],
    ],
  ])('reads %s', async (_, text, expected) => {
    const read = await readAll(Buffer.from(text, 'latin1'), size);
    expect(read.error).toBeNull();
    expect(bodies(read)).toEqual(expected);
  });

  it.each<[string, string, string[]]>([
    ['a missing closing boundary', `--bn\r\n${H}\r\none\r\n--bn\r\n${H}\r\ntwo`, ['one']],
    ['a cut inside a closing boundary', `--bn\r\n${H}\r\none\r\n--bn\r\n${H}\r\ntwo\r\n--bn`, ['one']],
    ['a cut inside a part header', `--bn\r\n${H}\r\none\r\n--bn\r\nContent-Ty`, ['one']],
    ['bare line feeds', `--bn\n${H.replace('\r', '')}\none\n--bn--\n`, []],
    ['what is no multipart', '{"not":"multipart"}', []],
    ['nothing at all', '', []],
    ['a header without a name', '--bn\r\n: x\r\n\r\none\r\n--bn--', []],
  ])('refuses %s as INVALID and keeps the parts before it', async (_, text, expected) => {
    const read = await readAll(Buffer.from(text, 'latin1'), size);
    expect(hasCode(read.error, 'INVALID')).toBe(true);
    expect(bodies(read)).toEqual(expected);
  });

  it('reads header names in any case, values trimmed, folded lines joined and the first of equals', async () => {
    const text =
      '--bn\r\nCONTENT-type:  application/dicom;\r\n  transfer-syntax=1.2\r\ncontent-TYPE: x\r\n\r\n1\r\n--bn--';
    const read = await readAll(Buffer.from(text), size);
    expect(read.parts[0]?.headers).toEqual({ 'content-type': 'application/dicom; transfer-syntax=1.2' });
  });

  it('refuses too many headers, too long ones, too many parts and an endless preamble', async () => {
    const many = `--bn\r\n${'A: b\r\n'.repeat(9)}\r\n--bn--`;
    const long = `--bn\r\nA: ${'b'.repeat(2000)}\r\n\r\n--bn--`;
    const parts = `${'--bn\r\n\r\n\r\n'.repeat(101)}--bn--`;
    const preamble = `${'x'.repeat(600)}\r\n--bn--`;
    expect((await readAll(Buffer.from(many), size)).error).toMatchObject({ code: 'LIMIT' });
    expect((await readAll(Buffer.from(long), size)).error).toMatchObject({ code: 'LIMIT' });
    expect((await readAll(Buffer.from(parts), size)).error).toMatchObject({ code: 'LIMIT', status: 413 });
    expect((await readAll(Buffer.from(preamble), size)).error).toMatchObject({ code: 'INVALID' });
  });

  it('skips what the consumer leaves of a body', async () => {
    const text = `--bn\r\n${H}\r\n${'first'.repeat(50)}\r\n--bn\r\n${H}\r\n${'second'.repeat(50)}\r\n--bn\r\n\r\nlast\r\n--bn--`;
    const seen: string[] = [];
    for await (const part of readParts(inChunks(Buffer.from(text), size), 'bn', LIMITS)) {
      for await (const piece of part.body) {
        seen.push(Buffer.from(piece).toString('latin1').slice(0, 1));
        break;
      }
    }
    expect(seen).toEqual(['f', 's', 'l']);
  });
});

describe('readParts', () => {
  it('gives back any bodies whatever they hold and however the chunks fall', async () => {
    const nearly = fc.constantFrom('\r', '\n', '\r\n', '-', '--', '\r\n--', '\r\n--b', '\r\n--bnX', '--bn', 'x', ' ');
    const body = fc.array(nearly, { maxLength: 20 }).map((pieces) => pieces.join(''));
    await fc.assert(
      fc.asyncProperty(fc.array(body, { maxLength: 5 }), fc.integer({ min: 1, max: 40 }), async (wanted, size) => {
        // A body that holds a whole boundary line cannot be carried by this boundary: RFC 2046 5.1.1.
        const fit = wanted.filter((each) => !/\r\n--bn(--|[ \t]*\r\n)/.test(`\r\n${each}\r\n--bn\r\n`.slice(0, -6)));
        const text = `${fit.map((each) => `--bn\r\n${H}\r\n${each}\r\n`).join('')}--bn--\r\n`;
        const read = await readAll(Buffer.from(text, 'latin1'), size);
        expect(read.error).toBeNull();
        expect(bodies(read)).toEqual(fit);
      }),
      { verbose: true },
    );
  });

  it('asks the source for no more than one chunk ahead of its reader', async () => {
    let given = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`--bn\r\n${H}\r\n`);
      for (; given < 1000; given++) yield Buffer.alloc(1024, 0x41);
      yield Buffer.from('\r\n--bn--');
    }
    for await (const part of readParts(source(), 'bn', LIMITS)) {
      let read = 0;
      for await (const piece of part.body) {
        read += piece.length;
        expect(given * 1024 - read).toBeLessThanOrEqual(2048);
      }
      expect(read).toBe(1000 * 1024);
    }
  });

  it('passes on what the source throws', async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`--bn\r\n${H}\r\nhalf`);
      throw new Error('socket gone');
    }
    const read = async () => {
      for await (const part of readParts(source(), 'bn', LIMITS)) {
        for await (const piece of part.body) expect(piece.length).toBeGreaterThan(0);
      }
    };
    await expect(read()).rejects.toThrow('socket gone');
  });
});

describe('parseBoundary', () => {
  it.each(['x', 'a'.repeat(70), '0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1', "gc0p4Jq0M2Yt08jU534c0p=_'()+,./:?"])(
    'takes %s',
    (text) => {
      expect(parseBoundary(text)).toBe(text);
    },
  );

  it.each([undefined, '', 'a'.repeat(71), 'a\r\nb', 'a"b', 'ends in space ', 'ü'])('refuses %j', (text) => {
    expect(() => parseBoundary(text)).toThrow(/boundary/);
  });
});
