// filmroom jobs: what runs and what ran lately; `jobs cancel ID` stops one.
import type { Command } from 'commander';
import { EXIT } from '../exit.js';
import { formatTable } from '../format.js';
import { type Io, print, printJson } from '../io.js';
import { describeJob } from '../job-command.js';
import { shareOf } from '../progress.js';
import { serverCommand, withServer } from '../server-command.js';

export function jobsCommand(io: Io): Command {
  const command = serverCommand('jobs', 'what runs and what ran lately');
  withServer(io, command, async (client, { json }) => {
    const jobs = await client.jobs();
    if (json) printJson(io, { jobs });
    else if (jobs.length === 0) print(io, 'no jobs');
    else {
      const rows = jobs.map((job) => [
        job.id,
        job.createdAt,
        job.finishedAt === null && job.progress !== null ? `${Math.floor(shareOf(job.progress) * 100)}%` : '',
        describeJob(job),
      ]);
      print(io, formatTable([['ID', 'SINCE', 'DONE', ''], ...rows]));
    }
    return EXIT.done;
  });
  command.addCommand(
    withServer(
      io,
      serverCommand('cancel', 'stop a job').argument('<id>', 'its id'),
      async (client, { json }, [id = '']) => {
        const job = await client.cancelJob(id);
        if (json) printJson(io, job);
        else print(io, describeJob(job));
        return EXIT.done;
      },
    ),
  );
  return command;
}
