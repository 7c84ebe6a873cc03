import { Command, Option } from 'commander';
import { pick, wholePositive } from '../options.ts';
import { type Fault, faults } from './faults.ts';

type FailoverSystem = 'ours' | 'etcd';

export interface FailoverSettings {
  readonly rounds: number;
  readonly systems: readonly FailoverSystem[];
  readonly faults: readonly Fault[];
}

const systemNames: readonly FailoverSystem[] = ['ours', 'etcd'];

const help = `
Faults, of the process that leads
  kill    SIGKILL
  stop    SIGTERM, as an operator or a supervisor ends it
  pause   SIGSTOP for longer than the measurement, then SIGCONT

Systems
  ours    three processes of Rollcall as shipped; the writer uses the SDK with its defaults
  etcd    three processes of the etcd found on the PATH with its defaults; the writer speaks gRPC
          over HTTP/2, begins at the leader, stays with the endpoint that answered last and goes on
          to the next one when an attempt fails or has no answer within 100 ms (any member forwards
          writes to the leader)

One writer, a process of its own, writes all the time: one request outstanding, every write to a key
of its own; one that fails or may have failed is not repeated, the next one is sent. Before each fault
all nodes answer, name one leader and have applied the same. Systems and faults take turns.

Columns
  next ms   from the signal to the first acknowledgement of a write that was sent after it
  gap ms    the longest time between two acknowledgements from just before the signal until 2 s
            after it: also what came later, and what the machine itself held up
  failed    writes that failed or may have
  lost      acknowledged writes that could not be read at the end; there must be none

The results are printed and written as JSON under bench/results/.`;

/** `npm run bench -- failover`. */
export function failoverCommand(run: (settings: FailoverSettings) => void): Command {
  return new Command('failover')
    .description('Measure how long writes stop when the leader is killed, stopped or paused.')
    .option('--rounds <number>', 'how often each fault strikes each system', wholePositive, 20)
    .addOption(
      new Option('--systems <list>', 'which systems, separated by commas')
        .argParser((text: string) => pick(text, systemNames, (name) => name))
        .default(systemNames, systemNames.join(',')),
    )
    .addOption(
      new Option('--faults <list>', 'which faults, separated by commas')
        .argParser((text: string) => pick(text, faults, ({ name }) => name))
        .default(faults, 'all'),
    )
    .addHelpText('after', help)
    .allowExcessArguments(false)
    .action(run);
}
