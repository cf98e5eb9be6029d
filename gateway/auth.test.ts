import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from './auth.js';

const asked = (headers: Record<string, string>) => ({ headers }) as unknown as IncomingMessage;

describe('token authentication', () => {
  const authenticate = createAuthenticator({
    mode: 'token',
    tokens: [
      { name: 'viewer', token: 'aaaaaaaaaaaaaaaa' },
      { name: 'modality', token: 'bbbbbbbbbbbbbbbb' },
    ],
  });

  it('knows each token by its name', () => {
    expect(authenticate(asked({ authorization: 'Bearer bbbbbbbbbbbbbbbb' }))).toEqual({
      allowed: true,
      name: 'modality',
    });
    expect(authenticate(asked({ authorization: 'bearer aaaaaaaaaaaaaaaa' }))).toEqual({
      allowed: true,
      name: 'viewer',
    });
  });

  it.each([
    {},
    { authorization: '' },
    { authorization: 'Basic YTpi' },
    { authorization: 'Bearer ' },
    { authorization: 'Bearer a' },
    { authorization: 'Bearer aaaaaaaaaaaaaaaa x' },
  ])('answers 401 to %j', (headers) => {
    expect(authenticate(asked(headers as Record<string, string>))).toMatchObject({ allowed: false, status: 401 });
  });
});

describe('no authentication', () => {
  it.each(['127.0.0.1:8080', 'localhost', 'LOCALHOST:1', '[::1]:8080', 'pacs.example'])(
    'answers to the name %s',
    (host) => {
      const authenticate = createAuthenticator({ mode: 'none' }, 'https://pacs.example/film');
      expect(authenticate(asked({ host }))).toMatchObject({ allowed: true });
    },
  );

  it.each(['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example'])(
    'refuses the name %s, as a rebound one would be',
    (host) => {
      const authenticate = createAuthenticator({ mode: 'none' });
      expect(authenticate(asked({ host }))).toMatchObject({ allowed: false, status: 403 });
    },
  );
});
