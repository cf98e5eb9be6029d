import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../tiering/core/clock.js';
import { createAuthenticator } from './authenticate.js';

const asked = (headers: Record<string, string>, method = 'GET') => ({ headers, method }) as unknown as IncomingMessage;

describe('token authentication', () => {
  const { authenticate } = createAuthenticator(
    {
      mode: 'token',
      tokens: [
        { name: 'viewer', token: 'aaaaaaaaaaaaaaaa', may: ['read'] },
        { name: 'modality', token: 'bbbbbbbbbbbbbbbb' },
      ],
    },
    systemClock,
  );

  it('knows each token by its name, with what it may', () => {
    expect(authenticate(asked({ authorization: 'Bearer bbbbbbbbbbbbbbbb' }))).toMatchObject({
      allowed: true,
      access: { name: 'modality', may: new Set(['read', 'store', 'delete', 'operate']), studies: null },
    });
    expect(authenticate(asked({ authorization: 'bearer aaaaaaaaaaaaaaaa' }))).toMatchObject({
      allowed: true,
      access: { name: 'viewer', may: new Set(['read']) },
    });
  });

  it.each([
    {},
    { authorization: '' },
    { authorization: 'Basic YTpi' },
    { authorization: 'Bearer ' },
    { authorization: 'Bearer a' },
    { authorization: 'Bearer aaaaaaaaaaaaaaaa x' },
    { authorization: 'Basic YTpi', cookie: 'filmroom-token=aaaaaaaaaaaaaaaa' },
    { cookie: 'filmroom-token=a b' },
    { cookie: 'other=aaaaaaaaaaaaaaaa' },
  ])('answers 401 to %j', (headers) => {
    expect(authenticate(asked(headers as Record<string, string>))).toMatchObject({ allowed: false, status: 401 });
  });

  it('believes a cookie for reads alone', () => {
    const cookie = { cookie: 'a=b; filmroom-token=aaaaaaaaaaaaaaaa' };
    expect(authenticate(asked(cookie))).toMatchObject({ allowed: true });
    expect(authenticate(asked(cookie, 'POST'))).toMatchObject({ allowed: false, status: 401 });
  });
});

describe('links to studies', () => {
  const config = { mode: 'token', tokens: [{ name: 'x', token: 'x'.repeat(16) }], linkKey: 'k'.repeat(32) } as const;
  const make = (nowMs: number) =>
    createAuthenticator({ ...config, tokens: [...config.tokens] }, { ...systemClock, nowMs: () => nowMs });
  const study = '1.2.3' as never;

  it('open what they name until they expire, and not with another key', async () => {
    const now = systemClock.nowMs();
    const made = await make(now).links?.make([study], 60_000, 'dr');
    const headers = { authorization: `Bearer ${made?.token}` };
    expect(await make(now + 59_000).authenticate(asked(headers))).toMatchObject({
      allowed: true,
      access: { name: 'link:dr', may: new Set(['read']), studies: new Set(['1.2.3']) },
    });
    expect(await make(now + 61_000).authenticate(asked(headers))).toMatchObject({
      allowed: false,
      status: 401,
      detail: 'this token has expired',
    });
    const other = createAuthenticator({ ...config, tokens: [...config.tokens], linkKey: 'l'.repeat(32) }, systemClock);
    expect(await other.authenticate(asked(headers))).toMatchObject({ allowed: false, status: 401 });
  });
});

describe('an identity provider', () => {
  let server: Server;
  let issuer: string;
  let key: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  let published: object;
  let answering = true;

  beforeAll(async () => {
    const pair = await generateKeyPair('ES256');
    key = pair.privateKey;
    published = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' }] };
    server = createServer((request, response) => {
      if (!answering) response.writeHead(502).end();
      else if (request.url === '/.well-known/openid-configuration')
        response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks` }));
      else response.end(JSON.stringify(published));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const authenticator = () =>
    createAuthenticator(
      { mode: 'oidc', issuer, audience: 'filmroom', claims: { may: 'scope', studies: 'filmroom_studies' } },
      systemClock,
    );
  const sign = (claims: Record<string, unknown>, change: (jwt: SignJWT) => SignJWT = (jwt) => jwt) =>
    change(
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
        .setIssuer(issuer)
        .setAudience('filmroom')
        .setSubject('dr-who')
        .setExpirationTime('5m'),
    ).sign(key);
  const withToken = (token: string) => asked({ authorization: `Bearer ${token}` });

  it('says by scopes and a claim what a bearer may', async () => {
    const token = await sign({ scope: 'openid filmroom:read filmroom:fly', filmroom_studies: ['1.2.3'] });
    expect(await authenticator().authenticate(withToken(token))).toEqual({
      allowed: true,
      access: { name: 'oidc:dr-who', may: new Set(['read']), studies: new Set(['1.2.3']) },
    });
  });

  it.each<[string, (jwt: SignJWT) => SignJWT, Record<string, unknown>]>([
    ['another audience', (jwt) => jwt.setAudience('other'), {}],
    ['another issuer', (jwt) => jwt.setIssuer('http://other'), {}],
    ['an expired one', (jwt) => jwt.setExpirationTime('-5m'), {}],
    ['studies that are no UIDs', (jwt) => jwt, { filmroom_studies: ['../..'] }],
    ['studies that are no list', (jwt) => jwt, { filmroom_studies: '1.2.3' }],
  ])('%s is 401', async (_, change, claims) => {
    const token = await sign({ scope: 'filmroom:read', ...claims }, change);
    expect(await authenticator().authenticate(withToken(token))).toMatchObject({ allowed: false, status: 401 });
  });

  it('a token signed with its public key as if that were a secret is 401, as is one without a signature', async () => {
    const secret = new TextEncoder().encode(JSON.stringify(published));
    const forged = await new SignJWT({ scope: 'filmroom:read' })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .setIssuer(issuer)
      .setAudience('filmroom')
      .setSubject('x')
      .setExpirationTime('5m')
      .sign(secret);
    expect(await authenticator().authenticate(withToken(forged))).toMatchObject({ allowed: false, status: 401 });
    const [, payload] = forged.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    expect(await authenticator().authenticate(withToken(none))).toMatchObject({ allowed: false, status: 401 });
  });

  it('is 503 while its keys cannot be had, and asked again after', async () => {
    const { authenticate } = authenticator();
    const token = await sign({ scope: 'filmroom:read' });
    answering = false;
    expect(await authenticate(withToken(token))).toMatchObject({ allowed: false, status: 503 });
    answering = true;
    expect(await authenticate(withToken(token))).toMatchObject({ allowed: true });
  });
});

describe('no authentication', () => {
  it.each(['127.0.0.1:8080', 'localhost', 'LOCALHOST:1', '[::1]:8080', 'pacs.example'])(
    'answers to the name %s',
    (host) => {
      const { authenticate } = createAuthenticator({ mode: 'none' }, systemClock, 'https://pacs.example/film');
      expect(authenticate(asked({ host }))).toMatchObject({ allowed: true });
    },
  );

  it.each(['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example'])(
    'refuses the name %s, as a rebound one would be',
    (host) => {
      const { authenticate } = createAuthenticator({ mode: 'none' }, systemClock);
      expect(authenticate(asked({ host }))).toMatchObject({ allowed: false, status: 403 });
    },
  );
});
