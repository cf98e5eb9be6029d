// Links to single studies: tokens that this server signs for some studies and some time (JWT, RFC 7519, HS256), given to a
// referring doctor or put into another system's page. They open those studies for reading, on every route, and nothing else.
import { jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { StudyUid } from '../../tiering/core/ids.js';
import { parseStudies } from './access.js';
import { type AuthResult, allowed, refusalOf } from './result.js';

/** Tells a link from an identity provider's token, before either is verified. */
const KIND = 'filmroom-link+jwt';
const ISSUER = 'filmroom';
/** A token goes into a header, of which node takes 16 KiB in all. */
const STUDIES_PER_LINK_MAX = 100;

/** Whether the token says that it is a link; nothing is believed of it yet. */
export function isStudyLink(token: string): boolean {
  const header = token.split('.', 1)[0] ?? '';
  if (header.length > 1024) return false;
  return Buffer.from(header, 'base64url').toString('latin1').includes(`"typ":"${KIND}"`);
}

export interface StudyLink {
  readonly token: string;
  readonly expiresMs: number;
}

export class StudyLinks {
  readonly #key: Uint8Array;
  readonly #clock: Clock;

  /** @param key whoever has it can make links; changing it ends all that were made. */
  constructor(key: string, clock: Clock) {
    this.#key = new TextEncoder().encode(key);
    this.#clock = clock;
  }

  /** INVALID for no study, or more than 100. `name` shows in the log when the link is used. */
  async make(studies: readonly StudyUid[], lifeMs: number, name: string): Promise<StudyLink> {
    if (studies.length === 0 || studies.length > STUDIES_PER_LINK_MAX) {
      throw new ArchiveError('INVALID', `studies: a link is to 1 to ${STUDIES_PER_LINK_MAX} studies`);
    }
    const now = Math.floor(this.#clock.nowMs() / 1000);
    const expires = now + Math.max(1, Math.ceil(lifeMs / 1000));
    const token = await new SignJWT({ studies })
      .setProtectedHeader({ alg: 'HS256', typ: KIND })
      .setIssuer(ISSUER)
      .setSubject(name)
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(this.#key);
    return { token, expiresMs: expires * 1000 };
  }

  async verify(token: string): Promise<AuthResult> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ['HS256'],
        typ: KIND,
        issuer: ISSUER,
        requiredClaims: ['exp', 'sub', 'studies'],
        currentDate: new Date(this.#clock.nowMs()),
      });
      return allowed({
        name: `link:${payload.sub ?? ''}`,
        may: new Set(['read']),
        studies: parseStudies(payload['studies']),
      });
    } catch (error) {
      return refusalOf(error);
    }
  }
}
