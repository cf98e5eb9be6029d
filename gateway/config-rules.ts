// What no single key of the configuration can tell: which of them fit together.
import type { Parsed } from './config-schema.js';

/** One thing wrong: where (keys from the root) and what is allowed there. */
export interface ConfigIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

/** What no single key can tell. */
export function crossCheck(config: Parsed): ConfigIssue | undefined {
  const { http, auth, hot, cold, index } = config;
  const replicas = cold.replicas.length;
  if (auth.mode === 'none' && !isLoopback(http.host)) {
    return {
      path: ['auth', 'mode'],
      message: `none is allowed only where http.host is loopback (127.0.0.1, ::1, localhost), not ${http.host}; use token or oidc`,
    };
  }
  if (!index.url.startsWith('sqlite:')) {
    return { path: ['index', 'url'], message: 'only sqlite:PATH is supported yet' };
  }
  if (hot.lowWater >= hot.highWater) return { path: ['hot', 'lowWater'], message: 'must be below hot.highWater' };
  for (const key of ['writeQuorum', 'cloudDirectQuorum'] as const) {
    if ((cold[key] ?? 1) > replicas) {
      return { path: ['cold', key], message: `must be at most the number of replicas, ${replicas}` };
    }
  }
  const unkept = cold.replicas.findIndex(({ objectLock }) => {
    const termMs = (objectLock?.days ?? 0) * 24 * 3600 * 1000;
    return objectLock !== undefined && (config.tiering.scrub.every ?? Number.POSITIVE_INFINITY) > termMs / 2;
  });
  if (unkept >= 0) {
    return {
      path: ['cold', 'replicas', unkept, 'objectLock'],
      message:
        'needs tiering.scrub.every, of at most half of its days: locks are extended by scrubs, and end otherwise',
    };
  }
  const apart = new Set(cold.replicas.map(({ name, domain }) => domain ?? name)).size;
  if (cold.domains > apart) {
    return {
      path: ['cold', 'domains'],
      message: `must be at most the number of failure domains of the replicas, ${apart}`,
    };
  }
  const quorum = cold.writeQuorum ?? defaultQuorum(replicas);
  if (cold.domains > quorum) {
    return {
      path: ['cold', 'domains'],
      message: `must be at most the write quorum, ${quorum}: so many copies there are for sure`,
    };
  }
  const unknown = config.drills.findIndex(({ what, name }) => {
    const names: readonly string[] = (what === 'volume' ? hot.volumes : cold.replicas).map((one) => one.name);
    return name !== undefined && (what === 'index' || !names.includes(name));
  });
  if (unknown >= 0) {
    return { path: ['drills', unknown, 'name'], message: 'must be a volume or replica of this configuration' };
  }
  return duplicate(['hot', 'volumes'], hot.volumes) ?? duplicate(['cold', 'replicas'], cold.replicas);
}

function duplicate(path: readonly string[], named: readonly { readonly name: string }[]): ConfigIssue | undefined {
  const at = named.findIndex((one, index) => named.findIndex((other) => other.name === one.name) < index);
  return at < 0 ? undefined : { path: [...path, at, 'name'], message: 'is used twice; every name must be its own' };
}

/** All of two, two of three: the majority, and never one of two. */

export function defaultQuorum(replicas: number): number {
  return replicas <= 2 ? replicas : Math.floor(replicas / 2) + 1;
}
