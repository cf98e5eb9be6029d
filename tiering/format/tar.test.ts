import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePackId, parseSeriesUid, parseSha256, parseSopUid, parseStudyUid } from '../core/ids.js';
import {
  type InstanceMember,
  MEMBER_HEADER_BYTES,
  memberHeader,
  memberPadding,
  parseMemberHeader,
  TAR_END,
} from './tar.js';
import { noteMember } from './tar-notes.js';

const pack = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ab');
const other = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ac');
const longUid = `1.${'2'.repeat(62)}`;

function member(data: Uint8Array, changes: Partial<InstanceMember> = {}): InstanceMember {
  return {
    pack,
    study: parseStudyUid(longUid),
    series: parseSeriesUid(longUid),
    sop: parseSopUid(longUid),
    bytes: data.length,
    sha256: parseSha256(createHash('sha256').update(data).digest('hex')),
    seq: 42,
    arrivedMs: 1_700_000_000_123,
    ...changes,
  };
}

function whole(data: Uint8Array, changes: Partial<InstanceMember> = {}): Uint8Array {
  return Buffer.concat([memberHeader(member(data, changes)), data, new Uint8Array(memberPadding(data.length))]);
}

describe('member headers', () => {
  it('say what they were made of', () => {
    const said = member(Buffer.from('hello'));
    expect(parseMemberHeader(memberHeader(said), pack)).toEqual({ kind: 'instance', ...said });
  });

  it('have one length whatever the numbers in them', () => {
    const most = member(Buffer.from('x'), {
      seq: Number.MAX_SAFE_INTEGER,
      bytes: 2 ** 40,
      arrivedMs: 8_000_000_000_000,
    });
    expect(memberHeader(most).length).toBe(MEMBER_HEADER_BYTES);
    expect(parseMemberHeader(memberHeader(most), pack)).toEqual({ kind: 'instance', ...most });
  });

  it('are refused after any single bit flip', () => {
    const header = memberHeader(member(Buffer.from('hello')));
    let accepted = 0;
    for (let at = 0; at < header.length; at++) {
      for (const bit of [0x01, 0x10, 0x80]) {
        const flipped = Uint8Array.from(header);
        flipped[at] = (flipped[at] ?? 0) ^ bit;
        if (parseMemberHeader(flipped, pack) !== undefined) accepted += 1;
      }
    }
    expect(accepted).toBe(0);
  });

  it('of another pack are no members of this one', () => {
    const header = memberHeader(member(Buffer.from('hello'), { pack: other }));
    expect(parseMemberHeader(header, pack)).toBeUndefined();
    expect(parseMemberHeader(header, other)).toBeDefined();
  });

  it('of a later version are told from damage', () => {
    const header = Buffer.from(memberHeader(member(Buffer.from('hello'))));
    const at = header.indexOf('filmroom1 instance');
    header.write('filmroom2 instance', at, 'latin1');
    const check = header.indexOf('check=') + 6;
    header.write('0'.repeat(16), check, 'latin1');
    header.write(createHash('sha256').update(header).digest('hex').slice(0, 16), check, 'latin1');
    expect(() => parseMemberHeader(header, pack)).toThrow(expect.objectContaining({ code: 'NOT_SUPPORTED' }));
  });

  it.each([
    ['a length of 0', { bytes: 0 }, 'INVALID'],
    ['a length that is no integer', { bytes: 1.5 }, 'INVALID'],
    ['a length beyond the limit', { bytes: 2 ** 40 + 1 }, 'LIMIT'],
    ['a negative arrival number', { seq: -1 }, 'INVALID'],
    ['an arrival time beyond eleven octal digits', { arrivedMs: 8 ** 11 * 1000 }, 'INVALID'],
  ])('are not made for %s', (_, changes, code) => {
    expect(() => memberHeader(member(Buffer.from('x'), changes))).toThrow(expect.objectContaining({ code }));
  });
});

describe('a pack', () => {
  const instances = [Buffer.from('hello'), Buffer.alloc(512, 7), Buffer.alloc(70_001, 9)];
  const members = instances.map((data, at) => whole(data, { sop: parseSopUid(`1.2.${at}`), seq: at + 1 }));
  const note = noteMember({ pack, note: { note: 'tray', predecessor: { pack: other, bytes: 7 } }, arrivedMs: 1 });
  const names = [`.filmroom/tray/${pack}.json`, ...instances.map((_, at) => `${longUid}/${longUid}/1.2.${at}.dcm`)];
  const python = 'import sys,tarfile\nwith tarfile.open(sys.argv[1]) as t:\n';

  const tools: readonly {
    readonly command: string;
    readonly list: readonly string[];
    readonly extract: readonly string[];
  }[] = [
    { command: 'tar', list: ['tf'], extract: ['xf'] },
    { command: 'bsdtar', list: ['tf'], extract: ['xf'] },
    {
      command: 'python3',
      list: ['-W', 'error', '-c', `${python} print("\\n".join(t.getnames()))`],
      extract: ['-c', `${python} t.extractall()`],
    },
  ];
  const ends: readonly (readonly [string, Uint8Array])[] = [
    ['with end blocks', TAR_END],
    ['without them, as a tray is', new Uint8Array(0)],
  ];

  function inTemporary(work: (dir: string, file: string) => void): void {
    const dir = mkdtempSync(join(tmpdir(), 'filmroom-tar-'));
    try {
      work(dir, join(dir, 'pack.tar'));
    } finally {
      rmSync(dir, { recursive: true });
    }
  }

  for (const { command, list, extract } of tools) {
    const absent = spawnSync(command, ['--version']).status !== 0;

    it.skipIf(absent).each(ends)(`%s is listed by ${command} without a word of warning`, (_, end) => {
      inTemporary((_dir, file) => {
        writeFileSync(file, Buffer.concat([note, ...members, end]));
        const { status, stdout, stderr } = spawnSync(command, [...list, file], { encoding: 'utf8' });
        expect({ status, listed: stdout.trim().split('\n'), stderr }).toEqual({ status: 0, listed: names, stderr: '' });
      });
    });

    it.skipIf(absent)(`is extracted by ${command} to the bytes that went in`, () => {
      inTemporary((dir, file) => {
        writeFileSync(file, Buffer.concat([note, ...members, TAR_END]));
        execFileSync(command, [...extract, file], { cwd: dir, stdio: 'pipe' });
        const [noteName = '', ...files] = names;
        expect(files.map((name) => readFileSync(join(dir, name)))).toEqual(instances);
        expect(readFileSync(join(dir, noteName), 'utf8')).toBe(
          `{"note":"tray","predecessor":{"pack":"${other}","bytes":7}}\n`,
        );
      });
    });

    it.skipIf(absent)(`with an instance over 8 GiB and others after it is listed whole by ${command}`, () => {
      inTemporary((_dir, file) => {
        const bytes = 8 * 1024 ** 3 + 5;
        const head = memberHeader(member(Buffer.from('sparse'), { bytes }));
        writeFileSync(file, head);
        truncateSync(file, head.length + bytes + memberPadding(bytes));
        writeFileSync(file, Buffer.concat([...members, TAR_END]), { flag: 'a' });
        const { status, stdout, stderr } = spawnSync(command, [...list, file], { encoding: 'utf8' });
        const large = `${longUid}/${longUid}/${longUid}.dcm`;
        expect({ status, listed: stdout.trim().split('\n'), stderr }).toEqual({
          status: 0,
          listed: [large, ...names.slice(1)],
          stderr: '',
        });
      });
    });
  }
});
