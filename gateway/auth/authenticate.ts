// Who asks, and what that one may do. `none` is for loopback alone, and there still refuses other host names, so that a web page
// cannot reach it by rebinding a name of its own to 127.0.0.1. `token`: bearer tokens of the configuration. `oidc`: bearer tokens
// that an identity provider has signed. Beside both: links to single studies that this server has signed (study-links.ts).
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../tiering/core/clock.js';
import type { AuthConfig } from '../config.js';
import { type Access, EVERY_ACTION } from './access.js';
import { createOidcVerifier } from './oidc.js';
import { type AuthResult, allowed, refused } from './result.js';
import { tokenOfCookie } from './session.js';
import { isStudyLink, StudyLinks } from './study-links.js';

export interface Authenticator {
  readonly authenticate: (request: IncomingMessage) => AuthResult | Promise<AuthResult>;
  /** Makes links to studies; null where the configuration has no key for them. */
  readonly links: StudyLinks | null;
}

type Verify = (token: string) => AuthResult | Promise<AuthResult>;

/** @param publicUrl where a reverse proxy shows this server; its host name is accepted too. */
export function createAuthenticator(auth: AuthConfig, clock: Clock, publicUrl?: string): Authenticator {
  if (auth.mode === 'none') return { authenticate: onlyLocalNames(publicUrl), links: null };
  const links = auth.linkKey === undefined ? null : new StudyLinks(auth.linkKey, clock);
  const verify: Verify = auth.mode === 'token' ? staticTokens(auth.tokens) : createOidcVerifier(auth, clock);
  return {
    links,
    authenticate: (request) => {
      const token = tokenOf(request);
      if (token === undefined) return refused(401, 'a bearer token is needed: Authorization: Bearer …');
      return links !== null && isStudyLink(token) ? links.verify(token) : verify(token);
    },
  };
}

/**
 * RFC 6750 2.1, or the cookie of session.ts for what a page loads by itself (`<img src>`): reads alone, since a cookie comes with requests that
 * nobody meant. A token in the query (RFC 6750 2.3) would end up in the logs of proxies and is not read.
 */
function tokenOf(request: IncomingMessage): string | undefined {
  const header = request.headers.authorization;
  if (header !== undefined) return /^Bearer +([^\s]+) *$/i.exec(header)?.[1];
  return request.method === 'GET' || request.method === 'HEAD' ? tokenOfCookie(request.headers.cookie) : undefined;
}

const digest = (text: string) => createHash('sha256').update(text).digest();

function staticTokens(tokens: Extract<AuthConfig, { mode: 'token' }>['tokens']): Verify {
  const known = tokens.map(({ name, token, may, studies }) => ({
    hash: digest(token),
    access: {
      name,
      may: may === undefined ? EVERY_ACTION : new Set(may),
      studies: studies === undefined ? null : new Set(studies),
    } satisfies Access,
  }));
  return (token) => {
    const hash = digest(token);
    // Every token is compared, so that the time taken tells nothing of which one came near.
    let found: Access | undefined;
    for (const one of known) if (timingSafeEqual(one.hash, hash)) found = one.access;
    return found === undefined ? refused(401, 'this token is not known here') : allowed(found);
  };
}

function onlyLocalNames(publicUrl?: string): Authenticator['authenticate'] {
  const names = new Set(['localhost', '[::1]', ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname])]);
  const anyone: Access = { name: 'anyone', may: EVERY_ACTION, studies: null };
  return (request) => {
    const name = (request.headers.host ?? 'localhost').toLowerCase().replace(/:[0-9]*$/, '');
    if (names.has(name) || /^127(\.[0-9]{1,3}){3}$/.test(name)) return allowed(anyone);
    return refused(
      403,
      'this host name is not answered without authentication; use 127.0.0.1, or set http.publicUrl or auth.mode: token',
    );
  };
}
