// filmroom serve: the server, until it is told to stop.
import { Command } from 'commander';
import { embeddedConfig, loadConfig } from '../../gateway/config-file.js';
import { serve } from '../../gateway/main.js';
import { parseDuration } from '../../gateway/units.js';
import { EXIT } from '../exit.js';
import { finish, type Io, print } from '../io.js';

interface Options {
  readonly config?: string;
  readonly rebuild?: boolean;
  readonly logLevel: string;
  readonly grace: string;
}

export function serveCommand(io: Io): Command {
  const command = new Command('serve')
    .description('serve DICOMweb; without --config from ./data, on loopback only')
    .option('--config <file>', 'configuration (YAML); filmroom init writes one')
    .option('--rebuild', 'the index was lost: make it again while what was found so far is searched and read')
    .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent', 'info')
    .option('--grace <time>', 'how long answers in flight may go on when it is told to stop', '20s');
  return command.action(async (options: Options) => {
    await finish(io, false, async () => {
      const config = options.config === undefined ? embeddedConfig(io.cwd) : loadConfig(options.config, io.environment);
      const { publicUrl } = config.http;
      await serve({
        config,
        rebuild: options.rebuild === true,
        logLevel: options.logLevel,
        graceMs: parseDuration(options.grace),
        onReady: (url) => print(io, welcome(publicUrl ?? url, url, config.auth.mode !== 'none')),
      });
      return EXIT.done;
    });
  });
}

/** Where to look, and how to send the first file. */
function welcome(shown: string, url: string, token: boolean): string {
  const bearer = token ? " -H 'Authorization: Bearer TOKEN'" : '';
  return [
    `Filmroom serves on ${shown}`,
    `  console   ${shown}/`,
    `  DICOMweb  ${shown}/dicomweb`,
    '  send a file:',
    `    curl${bearer} -H 'Content-Type: application/dicom' -H 'Accept: application/dicom+json' --data-binary @FILE.dcm ${url}/dicomweb/studies`,
    '  no file at hand: npx filmroom sample --out samples && npx filmroom import samples',
  ].join('\n');
}
