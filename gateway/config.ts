// The configuration as the program uses it, made of a YAML document by the schema (config-schema.ts) and its rules
// (config-rules.ts). Reading files is config-file.ts.
import { resolve } from 'node:path';
import type { DrillSchedule } from '../tiering/archive/drills/drill-report.js';
import { parseReplicaName, parseVolumeName } from '../tiering/core/ids.js';
import type { SuiteName, SuiteRule } from '../tiering/format/suites.js';
import { SUITE_IDS } from '../tiering/format/suites.js';
import { type ConfigIssue, crossCheck, defaultQuorum } from './config-rules.js';
import { type AuthConfig, type Parsed, type ReplicaConfig, schema } from './config-schema.js';

export type { ConfigIssue } from './config-rules.js';
export type { AuthConfig, ReplicaConfig } from './config-schema.js';

/** A configuration as the program uses it: milliseconds, shares of one, absolute paths, no default left open. */
export interface Config {
  /** The file it came from; null for the embedded default. */
  readonly file: string | null;
  readonly http: Parsed['http'];
  readonly auth: AuthConfig;
  readonly index: { readonly path: string };
  readonly hot: {
    readonly volumes: Parsed['hot']['volumes'];
    readonly settleMs: number;
    readonly highWater: number;
    readonly lowWater: number;
  };
  readonly cold: {
    readonly keyring: string;
    /** Null: the keyring holds the secrets. */
    readonly pkcs11: NonNullable<Parsed['cold']['pkcs11']> | null;
    readonly suites: SuiteRule;
    readonly writeQuorum: number;
    readonly cloudDirectQuorum: number;
    readonly domains: number;
    readonly replicas: readonly ReplicaConfig[];
  };
  readonly tiering: {
    readonly protect: 'write-back';
    readonly recall: 'on-open' | 'never';
    readonly evictMinAgeMs: number;
    readonly protectAfterMs: number;
    readonly uploadBytesPerSecond: number | null;
    readonly downloadBytesPerSecond: number | null;
    readonly scrub: { readonly bytesPerSecond: number | null; readonly everyMs: number | null };
  };
  readonly retention: readonly { readonly modality: string | null; readonly keepMs: number }[];
  readonly workers: { readonly threads: number | 'auto' };
  /** Null: off. */
  readonly audit: { readonly path: string; readonly retentionMs: number } | null;
  readonly drills: readonly DrillSchedule[];
  /** Null: off. */
  readonly reports: { readonly path: string; readonly keep: number } | null;
  /** Keys that were given and that this version does not act on yet. */
  readonly ignored: readonly string[];
}

/**
 * Checks `value` (a parsed YAML document with its secrets filled in). Paths in it are relative to `base`. Returns the
 * configuration, or the first thing that is wrong with it.
 */
export function checkConfig(value: unknown, base: string, file: string | null): Config | ConfigIssue {
  const result = schema.safeParse(value ?? {});
  if (!result.success) {
    const issue = result.error.issues[0];
    return { path: (issue?.path ?? []) as (string | number)[], message: issue?.message ?? 'is not a configuration' };
  }
  return crossCheck(result.data) ?? resolved(result.data, base, file);
}

function resolved(config: Parsed, base: string, file: string | null): Config {
  const { http, auth, index, hot, cold, tiering, workers, audit, reports } = config;
  const path = (relative: string) => resolve(base, relative);
  const writeQuorum = cold.writeQuorum ?? defaultQuorum(cold.replicas.length);
  return {
    file,
    http: http.tls === undefined ? http : { ...http, tls: { cert: path(http.tls.cert), key: path(http.tls.key) } },
    auth,
    index: { path: path(index.url.slice('sqlite:'.length)) },
    hot: {
      volumes: hot.volumes.map((one) => ({ ...one, path: path(one.path) })),
      settleMs: hot.settle,
      highWater: hot.highWater,
      lowWater: hot.lowWater,
    },
    cold: {
      keyring: path(cold.keyring),
      pkcs11: cold.pkcs11 === undefined ? null : { ...cold.pkcs11, module: path(cold.pkcs11.module) },
      suites: suiteRule(cold.suite, cold.openSuites ?? []),
      writeQuorum,
      cloudDirectQuorum: cold.cloudDirectQuorum ?? writeQuorum,
      domains: cold.domains,
      replicas: cold.replicas.map((one) =>
        one.url.startsWith('file:') ? { ...one, url: `file:${path(one.url.slice('file:'.length))}` } : one,
      ),
    },
    tiering: {
      protect: tiering.protect,
      protectAfterMs: tiering.protectAfter,
      uploadBytesPerSecond: tiering.upload.rate ?? null,
      downloadBytesPerSecond: tiering.download.rate ?? null,
      scrub: { bytesPerSecond: tiering.scrub.rate ?? null, everyMs: tiering.scrub.every ?? null },
      recall: tiering.recall,
      evictMinAgeMs: tiering.evict.minAge,
    },
    retention: config.retention.map(({ modality, keep }) => ({ modality: modality ?? null, keepMs: keep })),
    workers,
    audit: audit === 'off' ? null : { path: path(audit.path), retentionMs: audit.retention },
    drills: config.drills.map(({ what, name, every, for: lasts }) => ({
      what,
      name: name === undefined ? null : what === 'volume' ? parseVolumeName(name) : parseReplicaName(name),
      everyMs: every,
      forMs: lasts,
    })),
    reports: reports === 'off' ? null : { path: path(reports.path), keep: reports.keep },
    ignored: [
      ...(tiering.prefetch === undefined ? [] : ['tiering.prefetch']),
      ...(tiering.windows === undefined ? [] : ['tiering.windows']),
    ],
  };
}

function suiteRule(seal: SuiteName, others: readonly SuiteName[]): SuiteRule {
  const open = new Set([seal, ...others].map((name) => SUITE_IDS[name]));
  return { seal: SUITE_IDS[seal], open: [...open].sort((a, b) => a - b) };
}
