// The folder of signed reports: one file a report, whole or not there, at most so many of them.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReportStore } from '../../tiering/archive/signed-reports.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { REPORT_BYTES_MAX } from '../../tiering/format/signature.js';
import { syncDirectory } from '../../tiering/hot/files.js';

export interface ReportFolderOptions {
  readonly path: string;
  /** The oldest beyond so many are removed. */
  readonly keep: number;
}

export interface ReportFile {
  readonly name: string;
  readonly kind: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

const NAME = /^([a-z][a-z0-9-]{0,31})-(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-[0-9a-f]{8}\.json$/;
const UNFINISHED = /^\.[0-9a-f]{16}\.tmp$/;

/** Keeps reports in a folder that is made when it is needed. */
export function reportFolder({ path, keep }: ReportFolderOptions): ReportStore {
  // One at a time, so that one report's tidying never meets another's half-written file.
  let last: Promise<unknown> = Promise.resolve();
  return {
    put: (name, text) => {
      const done = last.then(() => putReport(path, name, text, keep));
      last = done.catch(() => undefined);
      return done;
    },
  };
}

async function putReport(folder: string, name: string, text: string, keep: number): Promise<void> {
  if (!NAME.test(name)) throw new ArchiveError('INVALID', 'this is no name of a report');
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const unfinished = join(folder, `.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const file = await open(unfinished, 'wx', 0o640);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, join(folder, name));
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(folder);
  await tidy(folder, keep);
}

/** Removes the oldest beyond `keep`, and what a crash left unfinished. */
async function tidy(folder: string, keep: number): Promise<void> {
  for (const { name } of (await listReports(folder)).slice(keep)) await rm(join(folder, name), { force: true });
  for (const name of await readdir(folder)) {
    if (UNFINISHED.test(name)) await rm(join(folder, name), { force: true });
  }
}

/** The newest first; none where there is no such folder. */
export async function listReports(folder: string): Promise<readonly ReportFile[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw unreadable(folder, error);
  });
  const files = names.flatMap((name) => {
    const [, kind, year, month, day, hour, minute, second] = NAME.exec(name) ?? [];
    if (kind === undefined) return [];
    return [{ name, kind, at: `${year}-${month}-${day}T${hour}:${minute}:${second}Z` }];
  });
  return files.sort((a, b) => (a.at === b.at ? (a.name < b.name ? 1 : -1) : a.at < b.at ? 1 : -1));
}

/** The bytes of a report's file. NOT_FOUND when there is none; UNAVAILABLE when it cannot be read; LIMIT when it is too long for a report. */
export async function readReportFile(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > REPORT_BYTES_MAX) throw new ArchiveError('LIMIT', `${path} is longer than any report`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new ArchiveError(
        'NOT_FOUND',
        `there is no report ${path}; filmroom report list shows those that there are`,
      );
    }
    throw unreadable(path, error as NodeJS.ErrnoException);
  }
}

/** The same by its name in the folder. INVALID for what is no name of a report. */
export function readNamedReport(folder: string, name: string): Promise<Buffer> {
  if (!NAME.test(name))
    throw new ArchiveError('INVALID', 'a report has a name such as drill-20260101T120000Z-0123abcd.json');
  return readReportFile(join(folder, name));
}

function unreadable(path: string, error: NodeJS.ErrnoException): ArchiveError {
  return new ArchiveError('UNAVAILABLE', `${path} cannot be read (${error.code ?? 'unexpected'})`, { cause: error });
}
