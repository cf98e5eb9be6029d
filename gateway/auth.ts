// Who may ask. `none` is for loopback alone, and there still refuses other host names, so that a web page cannot reach it
// by rebinding a name of its own to 127.0.0.1. `token`: a static bearer token, compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AuthConfig } from './config.js';

/** `name` is the token's own, for the audit log. */
export type AuthResult =
  | { readonly allowed: true; readonly name: string }
  | { readonly allowed: false; readonly status: 401 | 403; readonly detail: string };

export type Authenticate = (request: IncomingMessage) => AuthResult;

const digest = (text: string) => createHash('sha256').update(text).digest();

/** @param publicUrl where a reverse proxy shows this server; its host name is accepted too. */
export function createAuthenticator(auth: AuthConfig, publicUrl?: string): Authenticate {
  if (auth.mode === 'none') return onlyLocalNames(publicUrl);
  const tokens = auth.tokens.map(({ name, token }) => ({ name, hash: digest(token) }));
  return (request) => {
    // RFC 6750 2.1; a token in the query (2.3) would end up in logs and is not read.
    const sent = /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (sent === undefined) {
      return { allowed: false, status: 401, detail: 'a bearer token is needed: Authorization: Bearer …' };
    }
    const hash = digest(sent);
    // Every token is compared, so that the time taken tells nothing of which one came near.
    let name: string | undefined;
    for (const token of tokens) if (timingSafeEqual(token.hash, hash)) name = token.name;
    return name === undefined
      ? { allowed: false, status: 401, detail: 'this token is not known here' }
      : { allowed: true, name };
  };
}

function onlyLocalNames(publicUrl?: string): Authenticate {
  const names = new Set(['localhost', '[::1]', ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname])]);
  return (request) => {
    const name = (request.headers.host ?? 'localhost').toLowerCase().replace(/:[0-9]*$/, '');
    if (names.has(name) || /^127(\.[0-9]{1,3}){3}$/.test(name)) return { allowed: true, name: 'anyone' };
    return {
      allowed: false,
      status: 403,
      detail:
        'this host name is not answered without authentication; use 127.0.0.1, or set http.publicUrl or auth.mode: token',
    };
  };
}
