// The process's log: JSON lines on standard error. Nothing of a patient and no UID is ever written (invariant I10): requests
// are logged by route class, and whatever an error says is stripped of what looks like a UID.
import { type Logger, pino } from 'pino';
import { codeOf } from '../tiering/core/errors.js';

export type { Logger } from 'pino';

const UID_LIKE = /[0-9]+(?:\.[0-9]+){3,}/g;
/** A value in quotes may have come from a caller. Addresses, paths and codes are not quoted by our messages. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;

/** `text` without anything shaped like a UID and without quoted values. */
export function redact(text: string): string {
  return text.replaceAll(QUOTED, '"…"').replaceAll(UID_LIKE, (found) => (isAddress(found) ? found : '<uid>'));
}

function isAddress(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => part.length <= 3 && Number(part) <= 255);
}

/** What may be logged of an error: its code, its message redacted, where it was thrown; of its cause the message too. */
function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { code: 'INTERNAL', message: 'something that is no error was thrown' };
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? [];
  return {
    code: codeOf(error),
    message: redact(error.message),
    stack: frames.slice(0, 12).join('\n'),
    ...(error.cause instanceof Error ? { cause: redact(error.cause.message) } : {}),
  };
}

/** `level` is one of pino's: fatal, error, warn, info, debug, trace, silent. */
export function createLogger(level: string): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: describeError } },
    pino.destination({ dest: 2, sync: true }),
  );
}
