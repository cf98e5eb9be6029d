// The replica that an offline command was given by name, and the configuration that has it.
import type { Config } from '../gateway/config.js';
import { embeddedConfig, loadConfig } from '../gateway/config-file.js';
import { ArchiveError } from '../tiering/core/errors.js';
import type { Io } from './io.js';

export interface ConfiguredReplica {
  readonly config: Config;
  readonly replica: Config['cold']['replicas'][number];
}

/** INVALID, naming those that there are, when the configuration (default: ./data) has none of that name. */
export function configuredReplica(io: Io, name: string, path: string | undefined): ConfiguredReplica {
  const config = path === undefined ? embeddedConfig(io.cwd) : loadConfig(path, io.environment);
  const replica = config.cold.replicas.find((one) => one.name === name);
  if (replica !== undefined) return { config, replica };
  const names = config.cold.replicas.map((one) => one.name).join(', ');
  throw new ArchiveError('INVALID', `the configuration has no replica of that name; it has: ${names}`);
}
