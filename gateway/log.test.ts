import { describe, expect, it } from 'vitest';
import { redact } from './log.js';

describe('redact', () => {
  it('takes out what is shaped like a UID', () => {
    expect(redact('no study 1.2.840.113619.2.55.3 in pack')).toBe('no study <uid> in pack');
    expect(redact('1.2.840.10008.1.2/1.3.6.1.4.1')).toBe('<uid>/<uid>');
  });

  it('takes out what is quoted', () => {
    expect(redact('not a Study Instance UID: "Doe^John \\"x\\" "')).toBe('not a Study Instance UID: "…"');
  });

  it('keeps addresses and numbers', () => {
    expect(redact('127.0.0.1:9000 did not answer within 1.5 s')).toBe('127.0.0.1:9000 did not answer within 1.5 s');
  });
});
