/** The options of `npm run bench`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Load, loads } from './loads.ts';
import type { SystemName } from './systems/system.ts';

export interface Settings {
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

export function readSettings(argv: readonly string[]): Settings {
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
    .parse(argv, { from: 'user' });
  const given = command.opts<Given>();
  const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
  return {
    ...given,
    seconds: given.quick && !isGiven('seconds') ? 2 : given.seconds,
    rounds: given.quick && !isGiven('rounds') ? 1 : given.rounds,
    isCheckPerfWanted: !given.quick,
  };
}

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number <= 3600)) throw new InvalidArgumentError('It must be above 0.');
  return number;
}

function wholePositive(text: string): number {
  const number = positive(text);
  if (!Number.isInteger(number)) throw new InvalidArgumentError('It must be a whole number.');
  return number;
}

function toSystems(text: string): SystemName[] {
  return pick(text, systemNames, (name) => name);
}

function toLoads(text: string): Load[] {
  return pick(text, loads, ({ name }) => name);
}

/** Those of all that the list names, in the order of all. */
function pick<T>(text: string, all: readonly T[], nameOf: (one: T) => string): T[] {
  const wanted = new Set(text.split(',').map((name) => name.trim()));
  const picked = all.filter((one) => wanted.delete(nameOf(one)));
  const [unknown] = wanted;
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`${unknown} is none of ${all.map(nameOf).join(', ')}.`);
  }
  return picked;
}
