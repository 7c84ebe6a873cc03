import { Command } from 'commander';
import { RollcallError } from '../client/index.ts';
import type { RecoveryPlan, RecoveryReport } from '../server/recovery.ts';
import { jsonLine } from './json.ts';
import { examples, type Run } from './session.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

interface RecoverOptions {
  readonly dataDir: string;
  readonly yes: boolean;
  readonly json: boolean;
}

export function recoverCommand(run: Run): Command {
  return new Command('recover')
    .description('go on with one node that is left, once a majority is lost for good')
    .requiredOption('--force-new-cluster', 'what it does: there is no other way to recover yet')
    .requiredOption('--data-dir <directory>', 'of the node that has the most, which must not run')
    .option('--yes', 'do not ask', false)
    .option('--json', 'print one JSON document per line', false)
    .addHelpText('after', examples('recover --force-new-cluster --data-dir data/n1'))
    .action((options: RecoverOptions) => recover(run, options));
}

/** What was made, for people: how to go on. */
export function recoveryText(report: RecoveryReport, dataDirectory: string): string {
  const { name, clusterId, incarnation, revision, lost } = report;
  const others =
    lost.length === 0
      ? ''
      : `${lost.join(', ')}: start with empty directories, and they join by themselves\n`;
  return (
    `${dataDirectory} is the only member "${name}" of cluster ${clusterId}, ` +
    `incarnation ${incarnation}, revision ${revision}\n${others}`
  );
}

async function recover({ terminal }: Run, options: RecoverOptions): Promise<void> {
  const { openRecovery } = await import('../server/recovery.ts');
  const recovery = await openRecovery(options.dataDir);
  try {
    terminal.warn(warning(recovery.plan, options.dataDir));
    if (!options.yes) await confirm(terminal);
    const report = await recovery.run();
    terminal.print(options.json ? jsonLine(report) : recoveryText(report, options.dataDir));
  } finally {
    await recovery.close();
  }
}

function warning(plan: RecoveryPlan, dataDirectory: string): string {
  const { name, clusterId, lastIndex, lastTerm, commitIndex, others } = plan;
  const undecided = lastIndex - commitIndex;
  const lines = [
    `What the others had and "${name}" in ${dataDirectory} does not is lost, also if it was acknowledged.`,
    `The log of "${name}" ends with entry ${lastIndex} of term ${lastTerm}. Compare that with all that is left.`,
    ...(undecided > 0
      ? [
          `It does not know what became of entry ${commitIndex + 1} and what follows: they count as well.`,
        ]
      : []),
    ...(others.length > 0
      ? [
          `Never start ${others.join(', ')} on their old directories again: they are another cluster now.`,
        ]
      : []),
    'All leases end, with their keys and instances, and watches begin anew.',
  ];
  const list = lines.map((line) => `- ${line}\n`).join('');
  return `This makes "${name}" a cluster of its own, a new incarnation of ${clusterId}:\n${list}`;
}

async function confirm(terminal: Terminal): Promise<void> {
  if (!terminal.interactive) throw new UsageError('Nobody can be asked here; say --yes');
  terminal.warn('Go on? Type yes: ');
  let answer = '';
  for await (const chunk of terminal.readInput()) {
    answer += Buffer.from(chunk).toString();
    if (answer.includes('\n')) break;
  }
  if (answer.trim() === 'yes') return;
  throw new RollcallError('cancelled', 'Nothing was changed', { definite: true });
}
