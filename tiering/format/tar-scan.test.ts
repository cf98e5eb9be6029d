import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArchiveError } from '../core/errors.js';
import { type PackId, parsePackId, parseSeriesUid, parseSha256, parseSopUid, parseStudyUid } from '../core/ids.js';
import { TOMBSTONE_ENTRIES_MAX } from '../core/limits.js';
import { memberHeader, memberPadding, noteHeader, TAR_END } from './tar.js';
import { type Note, noteMember, noteMemberBytes } from './tar-notes.js';
import { findNextMember, scanTar, TarDamage, type TarEntry, type TarSource } from './tar-scan.js';

const pack = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ab');
const other = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ac');

function hash(data: Uint8Array) {
  return parseSha256(createHash('sha256').update(data).digest('hex'));
}

function instance(seq: number, data: Uint8Array, inPack: PackId = pack): Uint8Array {
  const header = memberHeader({
    pack: inPack,
    study: parseStudyUid('1.2'),
    series: parseSeriesUid('1.2.3'),
    sop: parseSopUid(`1.2.3.${seq}`),
    bytes: data.length,
    sha256: hash(data),
    seq,
    arrivedMs: 1_700_000_000_000 + seq,
  });
  return Buffer.concat([header, data, new Uint8Array(memberPadding(data.length))]);
}

/** A source that refuses to be read outside of its bytes, as a volume does. */
function sourceOf(bytes: Uint8Array): TarSource {
  return {
    size: bytes.length,
    read: async (start, end) => {
      if (start < 0 || end > bytes.length || start >= end)
        throw new Error(`read [${start}, ${end}) of ${bytes.length}`);
      return bytes.subarray(start, end);
    },
  };
}

/** Everything that a scan yields, and how it ended. */
async function scanned(
  bytes: Uint8Array,
  from = 0,
): Promise<{ entries: TarEntry[]; ended: string; at: number | null }> {
  const entries: TarEntry[] = [];
  try {
    for await (const entry of scanTar(sourceOf(bytes), pack, from)) entries.push(entry);
  } catch (error) {
    if (error instanceof TarDamage) return { entries, ended: error.torn ? 'torn' : 'damaged', at: error.at };
    if (error instanceof ArchiveError) return { entries, ended: error.code, at: null };
    throw error;
  }
  return { entries, ended: 'end', at: null };
}

const first = instance(1, Buffer.from('hello'));
const second = instance(2, Buffer.alloc(1024, 7));
const third = instance(3, Buffer.alloc(5000, 9));
const three = Buffer.concat([first, second, third]);

describe('scanning a tar', () => {
  it('gives back any members that were written, whatever ends them', async () => {
    const anyMember = fc.oneof(
      fc.record({ bytes: fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(511, 512, 513, 1024)) }),
      fc.record({ tombstone: fc.integer({ min: 1, max: 1e15 - 1 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(anyMember, { maxLength: 12 }), fc.boolean(), async (members, closed) => {
        const wanted = members.map((member, at) => {
          if ('bytes' in member) return { data: Buffer.alloc(member.bytes, at + 1) };
          const note: Note = {
            note: 'tombstone',
            seq: member.tombstone,
            entries: [{ sop: parseSopUid('1.2.9'), sha256: hash(Buffer.from('x')) }],
          };
          return { note };
        });
        const pieces = wanted.map((one, at) =>
          'data' in one ? instance(at + 1, one.data) : noteMember({ pack, note: one.note, arrivedMs: 5 }),
        );
        const bytes = Buffer.concat([...pieces, closed ? TAR_END : new Uint8Array(0)]);
        const { entries, ended } = await scanned(bytes);
        expect(ended).toBe('end');
        expect(entries.map((entry) => ('note' in entry ? entry.note : bytes.subarray(entry.start, entry.end)))).toEqual(
          wanted.map((one) => ('data' in one ? one.data : one.note)),
        );
        for (const entry of entries) {
          expect(hash(bytes.subarray(entry.start, entry.end))).toBe(entry.sha256);
          expect(entry.header).toEqual(bytes.subarray(entry.at, entry.start));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('may begin at any member', async () => {
    const { entries, ended } = await scanned(three, first.length);
    expect([entries.map((entry) => entry.at), ended]).toEqual([[first.length, first.length + second.length], 'end']);
  });

  it('of an empty tray yields nothing', async () => {
    expect(await scanned(new Uint8Array(0))).toEqual({ entries: [], ended: 'end', at: null });
    expect(await scanned(TAR_END)).toEqual({ entries: [], ended: 'end', at: null });
  });
});

describe('a tar that ends too early', () => {
  it('is torn at the member that was cut, wherever that is', async () => {
    const start = first.length + second.length;
    for (let end = start + 1; end < three.length; end += end < start + 1600 ? 61 : 499) {
      const { entries, ended, at } = await scanned(three.subarray(0, end));
      expect([end, entries.length, ended, at]).toEqual([end, 2, 'torn', start]);
    }
    expect((await scanned(three.subarray(0, three.length - 1))).ended).toBe('torn');
  });

  it.each([512, 1023, 1025, 1536, 5000, 3_000_000])('is torn when %i zeros follow', async (zeros) => {
    const { entries, ended, at } = await scanned(Buffer.concat([three, new Uint8Array(zeros)]));
    expect([entries.length, ended, at]).toEqual([3, 'torn', three.length]);
  });
});

describe('a tar that is damaged inside', () => {
  it('says where, after the members before it, and goes on at the next good header', async () => {
    const damaged = Buffer.from(three);
    damaged.fill(0, first.length + 100, first.length + 200);
    const { entries, ended, at } = await scanned(damaged);
    expect([entries.length, ended, at]).toEqual([1, 'damaged', first.length]);
    const next = await findNextMember(sourceOf(damaged), pack, first.length);
    expect(next).toBe(first.length + second.length);
    expect((await scanned(damaged, next)).entries.map((entry) => entry.sha256)).toEqual([hash(Buffer.alloc(5000, 9))]);
  });

  it('is damaged, not torn, when zeros are followed by anything', async () => {
    const { ended, at } = await scanned(Buffer.concat([first, new Uint8Array(2_000_000), second]));
    expect([ended, at]).toEqual(['damaged', first.length]);
  });

  it('has no next member when none follows', async () => {
    expect(await findNextMember(sourceOf(three), pack, first.length + second.length + 1)).toBeUndefined();
    expect(await findNextMember(sourceOf(new Uint8Array(100)), pack, 0)).toBeUndefined();
  });

  it('is searched across the borders of the pieces in which it is read', async () => {
    for (const gap of [1024 ** 2 - 512, 1024 ** 2, 1024 ** 2 + 512, 1024 ** 2 + 1536, 2 * 1024 ** 2 + 512]) {
      const bytes = Buffer.concat([Buffer.alloc(gap, 0x78), first]);
      expect(await findNextMember(sourceOf(bytes), pack, 1)).toBe(gap);
    }
  });

  it('is not searched into a tar that hides inside of an instance', async () => {
    const trojan = instance(1, instance(7, Buffer.from('evil'), other));
    const bytes = Buffer.concat([trojan, second]);
    expect(await findNextMember(sourceOf(bytes), pack, 512)).toBe(trojan.length);
    const blocksOfAnOlderFile = instance(1, Buffer.from('old'), other);
    expect(await scanned(Buffer.concat([first, blocksOfAnOlderFile]))).toMatchObject({
      ended: 'damaged',
      at: first.length,
    });
  });
});

describe('notes', () => {
  const notes: Note[] = [
    { note: 'tray', predecessor: null },
    { note: 'tray', predecessor: { pack: other, bytes: 0 } },
    { note: 'pointer', pack: other, bytes: 2 ** 40, headersSha256: hash(Buffer.from('h')) },
    {
      note: 'tombstone',
      seq: 999_999_999_999_999,
      entries: [{ sop: parseSopUid(`1.${'2'.repeat(62)}`), sha256: hash(Buffer.from('x')) }],
    },
  ];

  it.each(notes.map((note) => [JSON.stringify(note).slice(0, 50), note] as const))('read back: %s', async (_, note) => {
    const member = noteMember({ pack, note, arrivedMs: 1_700_000_000_000 });
    expect(member.length).toBe(2048);
    expect((await scanned(member)).entries).toMatchObject([{ kind: 'note', note, arrivedMs: 1_700_000_000_000 }]);
  });

  it('hold the longest tombstone that there may be', async () => {
    const entries = Array.from({ length: TOMBSTONE_ENTRIES_MAX }, (_, n) => ({
      sop: parseSopUid(`1.${'2'.repeat(57)}${10_000 + n}`),
      sha256: hash(Buffer.from(String(n))),
    }));
    const note: Note = { note: 'tombstone', seq: 1e15 - 1, entries };
    const member = noteMember({ pack, note, arrivedMs: 1 });
    expect(member.length).toBe(noteMemberBytes(note));
    expect((await scanned(member)).entries).toMatchObject([{ kind: 'note', note }]);
    const more = { ...note, entries: [...entries, ...entries.slice(0, 1)] };
    expect(() => noteMember({ pack, note: more, arrivedMs: 1 })).toThrow(/1 to 1000/);
  });

  it('are damage when their data were changed', async () => {
    const member = Buffer.from(noteMember({ pack, note: { note: 'tray', predecessor: null }, arrivedMs: 1 }));
    member.write('tr4y', 1536 + 9);
    expect((await scanned(member)).ended).toBe('damaged');
  });

  function forged(name: string, text: string): Uint8Array {
    const data = Buffer.from(text);
    const header = noteHeader({ pack, seq: 0, arrivedMs: 1, bytes: data.length, sha256: hash(data), name });
    return Buffer.concat([header, data, new Uint8Array(memberPadding(data.length))]);
  }

  it.each([
    ['of an unknown kind', `.filmroom/x/${pack}.json`, '{"note":"x"}', 'NOT_SUPPORTED'],
    ['without its fields', `.filmroom/pointer/${pack}.json`, '{"note":"pointer"}', 'CORRUPT'],
    ['that is no JSON', `.filmroom/tray/${pack}.json`, 'x', 'CORRUPT'],
    [
      'with a predecessor that is no pack id',
      `.filmroom/tray/${pack}.json`,
      '{"note":"tray","predecessor":{"pack":"../x","bytes":1}}',
      'CORRUPT',
    ],
    ['under the name of another', `.filmroom/tray/${other}.json`, '{"note":"tray","predecessor":null}', 'damaged'],
    [
      'that is too long',
      `.filmroom/tray/${pack}.json`,
      `{"note":"tray","predecessor":null}${' '.repeat(170_000)}`,
      'damaged',
    ],
  ])('%s are refused', async (_, name, text, ended) => {
    expect((await scanned(forged(name, text))).ended).toBe(ended);
  });
});
