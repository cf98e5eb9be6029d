// The cookie that carries a bearer token for what a web page loads without headers: `<img src="…/thumbnail">`. POST /session with the
// token sets it, DELETE /session takes it away. Scripts cannot read it, and it is believed for reads alone.
import type { IncomingMessage, ServerResponse } from 'node:http';

const NAME = 'filmroom-token';
const TOKEN_CHARACTERS_MAX = 8192;

/** The token in a Cookie header. */
export function tokenOfCookie(header: string | undefined): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === NAME && value !== undefined && /^[\w.~+/=-]+$/.test(value)) return value;
  }
  return undefined;
}

/**
 * Answers /session for a caller who has been authenticated. A page of another site gets the cookie sent only over TLS, where browsers
 * allow `SameSite=None`.
 */
export function answerSession(request: IncomingMessage, response: ServerResponse, secure: boolean): void {
  const attributes = `Path=/; HttpOnly; ${secure ? 'Secure; SameSite=None' : 'SameSite=Lax'}`;
  const token = /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  response.setHeader('Cache-Control', 'no-store');
  if (request.method === 'DELETE') {
    response.writeHead(204, { 'Set-Cookie': `${NAME}=; ${attributes}; Max-Age=0` }).end();
    return;
  }
  if (request.method !== 'POST') {
    response.writeHead(405, { Allow: 'POST, DELETE' }).end();
    return;
  }
  const usable = token !== undefined && token.length <= TOKEN_CHARACTERS_MAX && /^[\w.~+/=-]+$/.test(token);
  if (usable) response.writeHead(204, { 'Set-Cookie': `${NAME}=${token}; ${attributes}` }).end();
  else response.writeHead(400, { 'Content-Type': 'application/problem+json' }).end(NOT_A_COOKIE);
}

const NOT_A_COOKIE = JSON.stringify({
  title: 'Bad request',
  status: 400,
  detail: 'the token must come as Authorization: Bearer, of characters that a cookie can hold',
});
