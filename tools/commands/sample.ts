// filmroom sample: phantom studies as Part 10 files, the same for the same seed. No patient was ever involved.
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { EXIT } from '../exit.js';
import { formatBytes, plural } from '../format.js';
import { finish, type Io, print, printJson } from '../io.js';

interface Options {
  readonly out: string;
  readonly seed: number;
  readonly json?: boolean;
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('Must be a whole number of at most 9 digits.');
  return Number(text);
}

export function sampleCommand(io: Io): Command {
  return new Command('sample')
    .description('write phantom studies (CT, MG, US, SR; Latin and Chinese names) as DICOM files')
    .requiredOption('--out <dir>', 'where the files go')
    .option('--seed <n>', 'the same seed gives the same bytes', wholeNumber, 1)
    .option('--json', 'the result as JSON on standard output')
    .action(async ({ out, seed, json }: Options) => {
      await finish(io, json === true, async () => {
        const folder = resolve(io.cwd, out);
        let instances = 0;
        let bytes = 0;
        await mkdir(folder, { recursive: true });
        for (const { fileName, bytes: file } of phantomStudies({ seed })) {
          io.signal.throwIfAborted();
          await writeFile(join(folder, fileName), file);
          instances += 1;
          bytes += file.length;
        }
        if (json === true) printJson(io, { out: folder, seed, instances, bytes });
        else print(io, `wrote ${plural(instances, 'file')}, ${formatBytes(bytes)}, to ${folder}`);
        return EXIT.done;
      });
    });
}
