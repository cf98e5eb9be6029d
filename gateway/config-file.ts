// Reads a configuration file: YAML, then secrets from the environment (`${NAME}`) and from files (`file:PATH`), then the
// schema of config.ts. Whatever is wrong is one line: file and line, the key, and what is allowed there.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { ArchiveError } from '../tiering/core/errors.js';
import { type Config, type ConfigIssue, checkConfig } from './config.js';

type Path = readonly (string | number)[];
type Environment = Readonly<Record<string, string | undefined>>;

/** Keys whose value may be `file:PATH`. Elsewhere `file:` has its own meaning (replica URLs). */
const SECRET_KEYS: ReadonlySet<string | number> = new Set([
  'accessKeyId',
  'secretAccessKey',
  'deleteAccessKeyId',
  'deleteSecretAccessKey',
  'token',
  'linkKey',
  'pin',
]);
const CONFIG_BYTES_MAX = 1 << 20;

/** The configuration when none is given: everything under `./data` of `folder`, loopback only. */
export function embeddedConfig(folder: string): Config {
  const config = checkConfig({}, folder, null);
  if ('message' in config) throw new ArchiveError('INTERNAL', `the embedded default is refused: ${config.message}`);
  return config;
}

/** Reads and checks `file`. Throws INVALID with one line for people when it cannot be used. */
export function loadConfig(file: string, environment: Environment): Config {
  const lines = new LineCounter();
  const document = parseDocument(readText(file, file), { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw invalid(`${file}:${line}:${col}: not YAML: ${broken.message}`);
  }
  const fail = (issue: ConfigIssue) =>
    invalid(`${position(file, document, lines, issue.path)}: ${pathText(issue.path)}${issue.message}`);
  const base = dirname(resolve(file));
  const value = withSecrets(document.toJS() as unknown, [], (text, path) => {
    try {
      return secret(text, path, base, environment);
    } catch (error) {
      throw error instanceof ArchiveError ? fail({ path, message: error.message }) : error;
    }
  });
  const config = checkConfig(value, base, resolve(file));
  if ('message' in config) throw fail(config);
  return config;
}

function invalid(message: string): ArchiveError {
  return new ArchiveError('INVALID', message.replaceAll(/\s*\n\s*/g, ' '));
}

function readText(file: string, shown: string): string {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > CONFIG_BYTES_MAX) throw invalid(`${shown}: longer than ${CONFIG_BYTES_MAX} bytes`);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    throw invalid(`${shown}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
}

/** `file:line`, of the deepest part of `path` that the file has. */
function position(file: string, document: Document, lines: LineCounter, path: Path): string {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const node = document.getIn(path.slice(0, depth), true) as { range?: readonly number[] } | undefined;
    const start = node?.range?.[0];
    if (start !== undefined) return `${file}:${lines.linePos(start).line}`;
  }
  return file;
}

function pathText(path: Path): string {
  if (path.length === 0) return '';
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return `${text.replace(/^\./, '')} `;
}

function withSecrets(value: unknown, path: Path, replace: (text: string, path: Path) => string): unknown {
  if (typeof value === 'string') return replace(value, path);
  if (Array.isArray(value)) return value.map((one, index) => withSecrets(one, [...path, index], replace));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, withSecrets(one, [...path, key], replace)]),
  );
}

function secret(text: string, path: Path, base: string, environment: Environment): string {
  const filled = text.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
    const value = environment[name];
    if (value === undefined || value === '') {
      throw new ArchiveError('INVALID', `asks for the environment variable ${name}, which is not set`);
    }
    return value;
  });
  if (!filled.startsWith('file:') || !SECRET_KEYS.has(path.at(-1) ?? '')) return filled;
  const shown = filled.slice('file:'.length);
  return readText(resolve(base, shown), shown).trim();
}
