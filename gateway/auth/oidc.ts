// Bearer tokens of an identity provider (OpenID Connect): JWTs that it has signed, verified with the keys that it publishes. What the
// bearer may do comes from the token's scopes, which studies from a claim of it.
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Clock } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { AuthConfig } from '../config.js';
import { type Access, type Action, isAction, parseStudies } from './access.js';
import { type AuthResult, allowed, refusalOf } from './result.js';

type OidcConfig = Extract<AuthConfig, { mode: 'oidc' }>;

/** The provider answers key requests from a cache of its own; past this it is away. */
const FETCH_MS = 5_000;
/** Asymmetric alone: with a symmetric one the provider's public key could pass as a secret. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Clocks of two machines. */
const LEEWAY_S = 30;
const DISCOVERY_BYTES_MAX = 256 * 1024;

const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** Asks the provider for nothing before the first token comes. Its answers: 401 for a token that is not accepted, 503 while its keys cannot be had. */
export function createOidcVerifier(config: OidcConfig, clock: Clock): (token: string) => Promise<AuthResult> {
  let finding: Promise<JWTVerifyGetKey> | undefined;
  const keys = () => {
    finding ??= keySet(config).catch((error: unknown) => {
      finding = undefined;
      throw error;
    });
    return finding;
  };
  return async (token) => {
    try {
      const getKey = await keys();
      const { payload } = await jwtVerify(token, getKey, {
        issuer: config.issuer,
        audience: config.audience,
        algorithms: ALGORITHMS,
        clockTolerance: LEEWAY_S,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(clock.nowMs()),
      });
      return allowed(accessOf(payload, config));
    } catch (error) {
      return refusalOf(isAway(error) ? away(config, error) : error);
    }
  };
}

async function keySet({ issuer, jwksUri }: OidcConfig): Promise<JWTVerifyGetKey> {
  const url = jwksUri ?? (await discover(issuer));
  return createRemoteJWKSet(new URL(url), { timeoutDuration: FETCH_MS });
}

/** OpenID Connect Discovery 1.0, section 4. */
async function discover(issuer: string): Promise<string> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(FETCH_MS),
    redirect: 'error',
  }).catch((cause: unknown) => {
    throw new ArchiveError('UNAVAILABLE', 'the identity provider does not answer', { cause });
  });
  const text = await response.text();
  const found = text.length > DISCOVERY_BYTES_MAX ? null : discovery.safeParse(parseJson(text)).data;
  if (!response.ok || found === null || found === undefined || found.issuer !== issuer) {
    throw new ArchiveError(
      'UNAVAILABLE',
      `the identity provider's discovery document cannot be used (${response.status})`,
    );
  }
  return found.jwks_uri;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A key set that could not be fetched says nothing about the token. */
function isAway(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof TypeError) return true;
  return error instanceof errors.JOSEError && error.code === 'ERR_JOSE_GENERIC';
}

function away({ issuer }: OidcConfig, cause: unknown): ArchiveError {
  return new ArchiveError(
    'UNAVAILABLE',
    `the keys of the identity provider ${new URL(issuer).host} cannot be had now`,
    {
      cause,
    },
  );
}

function accessOf(payload: JWTPayload, { claims }: OidcConfig): Access {
  const named = payload[claims.studies];
  return {
    name: `oidc:${payload.sub ?? ''}`,
    may: actionsOf(payload[claims.may]),
    studies: named === undefined ? null : parseStudies(named),
  };
}

/** `filmroom:read filmroom:store`, as one text (RFC 8693 4.2) or a list; other scopes are other systems' business. */
function actionsOf(claim: unknown): ReadonlySet<Action> {
  const words = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim.map(String) : [];
  return new Set(
    words.flatMap((word) => {
      const action = word.startsWith('filmroom:') ? word.slice('filmroom:'.length) : '';
      return isAction(action) ? [action] : [];
    }),
  );
}
