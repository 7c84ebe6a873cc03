import { Command, Option } from 'commander';
import { pick, positive, wholePositive } from '../options.ts';
import type { SystemName } from '../systems/system.ts';
import { type Load, loads } from './loads.ts';

export interface LoadSettings {
  readonly seconds: number;
  readonly rounds: number;
  readonly systems: readonly SystemName[];
  readonly loads: readonly Load[];
  readonly driver: 'frames' | 'sdk';
  /** Whether etcd's own 60 s load test runs too. */
  readonly isCheckPerfWanted: boolean;
}

interface Given {
  readonly seconds: number;
  readonly rounds: number;
  readonly systems: readonly SystemName[];
  readonly loads: readonly Load[];
  readonly driver: 'frames' | 'sdk';
  readonly quick: boolean;
}

const systemNames: readonly SystemName[] = ['ours', 'etcd', 'limit'];

const help = `
Systems
  ours    three processes of Rollcall as shipped, asked in frames of rollcall.v1
  etcd    three processes of the etcd found on the PATH, asked over gRPC
  limit   three processes that only ship frames, sync them and answer (bench/limit)
All run on loopback with durable writes, on the disk this project lies on, and are asked by the same
generator process, straight at the leader. Rounds are interleaved; the median of the rounds counts.

Loads: OPERATION-CONNECTIONS, with xN for N requests open on each connection instead of one
  ${loads.map(({ name }) => name).join(', ')}

The results are printed and written as JSON under bench/results/.`;

/** `npm run bench` without a further word. */
export function loadCommand(run: (settings: LoadSettings) => void): Command {
  const command = new Command('npm run bench --')
    .description('Compare Rollcall with etcd and with what this machine allows at all.')
    .option('--seconds <number>', 'length of each measurement', positive, 5)
    .option('--rounds <number>', 'how often each load is measured on each system', wholePositive, 3)
    .addOption(
      new Option('--systems <list>', 'which systems, separated by commas')
        .argParser(toSystems)
        .default(systemNames, systemNames.join(',')),
    )
    .addOption(
      new Option('--loads <list>', 'which loads, separated by commas')
        .argParser(toLoads)
        .default(loads, 'all'),
    )
    .addOption(
      new Option('--driver <name>', 'how ours is asked: bare frames, or the SDK')
        .choices(['frames', 'sdk'])
        .default('frames'),
    )
    .option('--quick', 'one round of 2 s, without etcd’s own load test', false)
    .addHelpText('after', help)
    .allowExcessArguments(false);
  return command.action((given: Given) => {
    const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
    run({
      ...given,
      seconds: given.quick && !isGiven('seconds') ? 2 : given.seconds,
      rounds: given.quick && !isGiven('rounds') ? 1 : given.rounds,
      isCheckPerfWanted: !given.quick,
    });
  });
}

function toSystems(text: string): SystemName[] {
  return pick(text, systemNames, (name) => name);
}

function toLoads(text: string): Load[] {
  return pick(text, loads, ({ name }) => name);
}
