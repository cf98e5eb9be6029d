// The selectors that migrate, recall and repatriate share: which studies a command is about.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../gateway/units.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { isUid } from '../tiering/core/ids.js';

export interface SelectorOptions {
  readonly study?: readonly string[];
  readonly all?: boolean;
  readonly query?: Readonly<Record<string, string>>;
  readonly olderThan?: string;
}

/** A selection as the admin API takes it. */
export interface SelectionBody {
  readonly studies?: readonly string[];
  readonly all?: boolean;
  readonly query?: Readonly<Record<string, string>>;
  readonly olderThan?: string;
}

function collectUid(value: string, before: readonly string[] = []): readonly string[] {
  if (!isUid(value)) throw new InvalidArgumentError('Not a Study Instance UID.');
  return [...before, value];
}

function collectMatch(value: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = value.indexOf('=');
  if (at < 1)
    throw new InvalidArgumentError('Must be Key=Value, such as PatientID=1234 or StudyDate=20200101-20201231.');
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
}

function duration(value: string): string {
  try {
    parseDuration(value);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return value;
}

export function addSelectors(command: Command): Command {
  return command
    .addOption(
      new Option('--study <uid>', 'a study; may be given several times')
        .argParser(collectUid)
        .conflicts(['all', 'query', 'olderThan']),
    )
    .addOption(new Option('--all', 'every study').conflicts('query'))
    .addOption(
      new Option('--query <Key=Value>', 'studies that match, as QIDO-RS matches; several must all match').argParser(
        collectMatch,
      ),
    )
    .addOption(
      new Option('--older-than <age>', 'whose last instance came longer ago, such as 90d').argParser(duration),
    );
}

/** INVALID when nothing is selected: a command never means everything by default. */
export function selectionBody(options: SelectorOptions): SelectionBody {
  const { study, all, query, olderThan } = options;
  if (study === undefined && all !== true && query === undefined && olderThan === undefined) {
    throw new ArchiveError('INVALID', 'which studies? Give --study UID, --query Key=Value, --older-than AGE or --all');
  }
  return {
    ...(study === undefined ? {} : { studies: study }),
    ...(all === true ? { all } : {}),
    ...(query === undefined ? {} : { query }),
    ...(olderThan === undefined ? {} : { olderThan }),
  };
}
