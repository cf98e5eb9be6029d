import { describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../core/clock.js';
import { parsePackId, parseStudyUid } from '../core/ids.js';
import { holdFields, openHold, parseHoldFields, rewrapHold, sealHold } from './hold.js';
import { generateKeyring } from './keyring.js';
import { parseStatementName } from './names.js';
import { noteMember, noteName, parseNote } from './tar-notes.js';
import { openTombstone } from './tombstone.js';
import type { HoldStatement } from './types.js';

const ID = parsePackId('01900000-0000-7000-8000-000000000001');
const keyring = { ...generateKeyring({ random: systemRandom, clock: systemClock }), suites: { seal: 1, open: [1] } };
const statement: HoldStatement = {
  seq: 42,
  hold: {
    study: parseStudyUid('1.2.840.7'),
    held: true,
    atMs: 1_700_000_000_000,
    reason: 'Müller ./. 张伟, case 4711',
  },
};

describe('a hold', () => {
  it('is sealed, opened and sealed anew, and its name says no more than its number', async () => {
    const { name, object } = await sealHold({ statement, id: ID, keyring, random: systemRandom });
    expect(parseStatementName(name)).toMatchObject({ kind: 'hold', seq: 42 });
    expect(await openHold(object, keyring)).toEqual(statement);
    for (const word of ['1.2.840.7', '4711']) expect(Buffer.from(object).includes(word)).toBe(false);
    const again = await rewrapHold(object, keyring, systemRandom);
    expect(again.name).not.toBe(name);
    expect(await openHold(again.object, keyring)).toEqual(statement);
  });

  it('does not open as a tombstone, nor under another key, nor changed', async () => {
    const { object } = await sealHold({ statement, id: ID, keyring, random: systemRandom });
    await expect(openTombstone(object, keyring)).rejects.toMatchObject({ code: 'CORRUPT' });
    const other = { ...generateKeyring({ random: systemRandom, clock: systemClock }), suites: keyring.suites };
    await expect(openHold(object, other)).rejects.toMatchObject({ code: 'WRONG_KEY' });
    object[300] = (object[300] ?? 0) ^ 1;
    await expect(openHold(object, keyring)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('is a note of a tray in the same words', () => {
    const note = { note: 'hold', ...statement } as const;
    expect(noteName(ID, note)).toBe('.filmroom/hold/42.json');
    const member = Buffer.from(noteMember({ pack: ID, note, arrivedMs: 5 }));
    const json =
      '{"note":"hold","seq":42,"study":"1.2.840.7","held":1,"at":1700000000000,"reason":"Müller ./. 张伟, case 4711"}\n';
    expect(member.includes(json)).toBe(true);
    expect(parseNote(Buffer.from(json))).toEqual(note);
  });

  it.each([
    ['held', 2],
    ['seq', 0],
    ['study', '../x'],
    ['reason', 'x'.repeat(1_025)],
    ['at', -1],
  ])('with %s %j is CORRUPT', (key, value) => {
    const fields = new Map(Object.entries({ ...holdFields(statement), [key]: value }));
    expect(() => parseHoldFields(fields)).toThrow(expect.objectContaining({ code: 'CORRUPT' }) as Error);
  });
});
