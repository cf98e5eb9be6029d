import { describe, expect, it } from 'vitest';
import { ArchiveError, type ErrorCode } from '../tiering/core/errors.js';
import { xmlDocument } from './answer/xml.js';
import { failureReason, HttpProblem, problemAnswer, warningReason } from './problem.js';
import { storeResponseJson } from './store/store-response.js';

describe('problemAnswer', () => {
  it.each<[ErrorCode, number]>([
    ['NOT_FOUND', 404],
    ['UNAVAILABLE', 503],
    ['ABSENT', 503],
    ['FULL', 503],
    ['LOST', 500],
    ['CORRUPT', 500],
    ['WRONG_KEY', 500],
    ['INVALID', 400],
    ['CONFLICT', 409],
    ['LIMIT', 413],
    ['NOT_SUPPORTED', 501],
  ])('%s is %d, and only what may pass says when to try again', (code, status) => {
    const answer = problemAnswer(new ArchiveError(code, 'why'), 7);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ status, detail: 'why' });
    expect(answer.headers['Retry-After']).toBe(status === 503 ? '7' : undefined);
  });

  it('says nothing of an error that was not written for people', () => {
    const answer = problemAnswer(new Error('SELECT * FROM secrets'), 5);
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('SELECT');
  });

  it('keeps the status and headers of a protocol problem', () => {
    const answer = problemAnswer(new HttpProblem(405, 'no', { headers: { Allow: 'GET' } }), 5);
    expect([answer.status, answer.headers['Allow'], JSON.parse(answer.body).title]).toEqual([
      405,
      'GET',
      'Method not allowed',
    ]);
  });
});

describe('failureReason', () => {
  const refused = (code: ErrorCode, fault: Parameters<typeof failureReason>[0]['fault'], study?: string) =>
    ({ status: 'refused', code, fault, detail: '', instance: study === undefined ? {} : { study } }) as Parameters<
      typeof failureReason
    >[0];

  it.each([
    [refused('INVALID', 'NOT_DICOM'), undefined, 0xc000],
    [refused('INVALID', 'TRANSFER_SYNTAX'), undefined, 0xc122],
    [refused('INVALID', 'IDENTITY'), undefined, 0xa900],
    [refused('CONFLICT', null, '1.2'), '1.2', 0x0111],
    [refused('CONFLICT', null, '1.2'), undefined, 0x0111],
    [refused('CONFLICT', null, '1.2'), '1.3', 0xa900],
    [refused('FULL', null), undefined, 0xa700],
    [refused('NOT_SUPPORTED', null), undefined, 0x0122],
    [refused('INTERNAL', null), undefined, 0x0110],
  ])('%o for a request of study %s', (outcome, study, reason) => {
    expect(failureReason(outcome, study)).toBe(reason);
  });
});

describe('warningReason', () => {
  it('is coercion for what is only read leniently, else a mismatch', () => {
    expect(warningReason([{ kind: 'CHARSET', detail: '' }])).toBe(0xb000);
    expect(
      warningReason([
        { kind: 'CHARSET', detail: '' },
        { kind: 'META_MISMATCH', detail: '' },
      ]),
    ).toBe(0xb007);
  });
});

describe('the store response', () => {
  const response = {
    studyUrl: null,
    stored: [{ sopClass: '1.1', sop: '1.2', retrieveUrl: 'http://x/series/1', warning: 0xb007 }],
    failed: [
      { sopClass: null, sop: '1.3', reason: 0x0111, detail: 'a < b & "c"\u0001' },
      { sopClass: null, sop: null, reason: 0xc000, detail: 'no DICM prefix' },
    ],
  };

  it('has its attributes in order, values only where there are some, and the reason in words', () => {
    const answer = JSON.parse(storeResponseJson(response));
    expect(Object.keys(answer)).toEqual(['00081190', '00081198', '00081199', '0008119A']);
    expect(answer['00081190']).toEqual({ vr: 'UR' });
    expect(answer['00081199'].Value[0]['00081196']).toEqual({ vr: 'US', Value: [0xb007] });
    expect(answer['00081198'].Value[0]['00081150']).toEqual({ vr: 'UI' });
    expect(answer['0008119A'].Value[0]['00741048'].Value[0]['00000902'].Value).toEqual(['no DICM prefix']);
  });

  it('is well-formed XML whatever the text holds', async () => {
    const text = await xmlDocument(storeResponseJson(response));
    expect(text).toContain('a &lt; b &amp; &quot;c&quot;\ufffd');
    const tags = [...text.matchAll(/<(\/?)(\w+)[^>?]*?(\/?)>/g)].filter((tag) => tag[3] === '');
    const open: string[] = [];
    for (const [, slash, name] of tags) {
      if (slash === '') open.push(String(name));
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });
});
