// filmroom import: sends every DICOM file under a folder to the server by STOW-RS, some at a time, and says which were refused.
import { open, readdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { systemClock } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { forEachLimited } from '../../tiering/core/queues.js';
import { problemOf, type ServerClient } from '../client.js';
import { exitCodeOfCounts } from '../exit.js';
import { formatBytes, plural } from '../format.js';
import { type Io, note, print, printJson } from '../io.js';
import { createProgressLine } from '../progress.js';
import { serverCommand, withServer } from '../server-command.js';

/** One sync of the server's tray serves all that wait at that moment. */
const FILES_AT_ONCE = 8;
const ATTEMPTS_MAX = 6;
const RETRY_MS_MAX = 30_000;
const DICM_AT = 128;

export interface ImportReport {
  readonly stored: number;
  readonly bytes: number;
  /** Files without `DICM` at byte 128, and media directories. */
  readonly skipped: number;
  readonly refused: readonly { readonly file: string; readonly status: number; readonly reason: string }[];
}

export function importCommand(io: Io): Command {
  const command = serverCommand('import', 'send every DICOM file under a folder').argument('<dir>', 'the folder');
  return withServer(io, command, async (client, { json }, [folder = '.']) => {
    const root = resolve(io.cwd, folder);
    const report = await importFolder(io, client, root);
    if (json) printJson(io, report);
    else {
      print(
        io,
        `stored ${plural(report.stored, 'instance')} (${formatBytes(report.bytes)}), refused ${report.refused.length}, skipped ${report.skipped} that are not DICOM files`,
      );
    }
    for (const { file, status, reason } of report.refused) note(io, `  ${file}: ${status}: ${reason}`);
    return exitCodeOfCounts(report.stored, report.refused.length);
  });
}

async function importFolder(io: Io, client: ServerClient, root: string): Promise<ImportReport> {
  const report = { stored: 0, bytes: 0, skipped: 0, refused: [] as { file: string; status: number; reason: string }[] };
  const line = createProgressLine(io.stderr, 'import', () => performance.now());
  let found = 0;
  let bytesFound = 0;
  try {
    await forEachLimited(filesUnder(root), FILES_AT_ONCE, async (path) => {
      io.signal.throwIfAborted();
      found += 1;
      const bytes = await dicomLength(path);
      if (bytes === undefined) report.skipped += 1;
      else {
        bytesFound += bytes;
        const refusal = await sendFile(client, path, bytes, io.signal);
        if (refusal === undefined) {
          report.stored += 1;
          report.bytes += bytes;
        } else report.refused.push({ file: relative(root, path), ...refusal });
      }
      const packsDone = report.stored + report.skipped + report.refused.length;
      line.update({ step: 'sent', packsDone, packsTotal: found, bytesDone: report.bytes, bytesTotal: bytesFound });
    });
  } finally {
    line.end();
  }
  return report;
}

/** Regular files, depth first, in the order of their names; links are not followed. */
async function* filesUnder(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new ArchiveError('INVALID', `${folder} cannot be read (${error.code})`, { cause: error });
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else if (entry.isFile()) yield path;
  }
}

/** Length of a DICOM file, or undefined when it is something else. */
async function dicomLength(path: string): Promise<number | undefined> {
  if (path.toUpperCase().endsWith('DICOMDIR')) return undefined;
  const file = await open(path, 'r');
  try {
    const mark = Buffer.alloc(4);
    const { bytesRead } = await file.read(mark, 0, 4, DICM_AT);
    return bytesRead === 4 && mark.toString('latin1') === 'DICM' ? (await file.stat()).size : undefined;
  } finally {
    await file.close();
  }
}

/** Sends one file, again when the server says that it is busy. Undefined when it is stored, else why not. */
async function sendFile(
  client: ServerClient,
  path: string,
  bytes: number,
  signal: AbortSignal,
): Promise<{ status: number; reason: string } | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const file = await open(path, 'r');
    // Closed by the stream's end; an answer before that destroys the stream.
    const body = file.createReadStream();
    let answer: Response;
    try {
      answer = await client.send('/dicomweb/studies', {
        method: 'POST',
        duplex: 'half',
        headers: {
          'Content-Type': 'application/dicom',
          'Content-Length': String(bytes),
          Accept: 'application/dicom+json',
        },
        body: Readable.toWeb(body) as ReadableStream<Uint8Array>,
      });
    } finally {
      body.destroy();
    }
    if (answer.status === 401 || answer.status === 403) throw await problemOf(answer);
    const again = answer.status === 503 && attempt < ATTEMPTS_MAX;
    const text = await answer.text();
    if (answer.ok && !/"(00081198|0008119A)"/.test(text)) return undefined;
    if (!again) return { status: answer.status, reason: reasonOf(text) };
    const wanted = Number(answer.headers.get('retry-after') ?? 1) * 1000;
    await systemClock.sleep(Math.min(RETRY_MS_MAX, Number.isFinite(wanted) ? wanted : 1000), signal);
  }
}

/** From a store response (PS3.18 10.5.3.2: Failure Reason in the Failed SOP Sequence) or a problem: what it says of the refusal. */
function reasonOf(text: string): string {
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    if (typeof body['detail'] === 'string') return body['detail'];
    const code = /"00081197":\{"vr":"US","Value":\[([0-9]+)\]/.exec(text)?.[1];
    const comment = /"00000902":\{"vr":"LO","Value":\["((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
    if (code !== undefined) {
      const reason = `failure reason ${Number(code).toString(16).toUpperCase().padStart(4, '0')}H`;
      return comment === undefined ? reason : `${reason}: ${JSON.parse(`"${comment}"`) as string}`;
    }
  } catch {
    // Not JSON: the status has to do.
  }
  return 'refused';
}
