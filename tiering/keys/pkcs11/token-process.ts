// The process of a token: a vendor's library may block for minutes, leak, or take its process along, so it gets one of its own. Started by
// token-client.ts with a channel; ends with it. One request at a time, in order.
import type { TokenAnswer, TokenRequest } from './messages.js';
import { TokenError, TokenSession, textOf } from './token-session.js';

let session: TokenSession | null = null;

function answerTo(request: TokenRequest): TokenAnswer {
  try {
    if (request.kind === 'open') {
      session = TokenSession.open(request.place);
      return { kind: 'done' };
    }
    if (session === null) throw new TokenError('away', 'the token was not opened');
    if (request.kind === 'draw') return { kind: 'drawn', id: session.draw(request.label) };
    if (request.kind === 'list') return { kind: 'keys', keys: session.list() };
    return { kind: 'hmac', mac: session.hmac(request.id, request.message) };
  } catch (error) {
    return { kind: 'failed', fault: error instanceof TokenError ? error.fault : 'away', detail: textOf(error) };
  }
}

process.on('message', (request: TokenRequest) => {
  process.send?.(answerTo(request));
});
process.on('disconnect', () => process.exit(0));
// The gateway ends it when it has closed the archive: a signal to the whole group must not come first.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
