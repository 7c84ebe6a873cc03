/** `npm run test:etcd`: the same programs on a node of ours and on an etcd, and every answer compared. */
import { inspect, parseArgs } from 'node:util';
import { findEtcd } from '../etcd-store.ts';
import { Difference, Program, type Tally } from '../program.ts';
import { Stores } from '../stores.ts';

const help = `Usage: npm run test:etcd -- [options]

Runs generated programs on one node of Rollcall and on one etcd, which has to be on the PATH, and compares
every answer, revision, count, order and kind of error, and what watches have seen.

  --programs N     how many (1000)
  --steps N        of each (50)
  --seed N         of the first one (1)
  --differences N  how many to show before it ends (10)
  --help           this text

Ends with 1 if anything differs. One program runs again with --programs 1 --seed N.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      programs: { type: 'string', default: '1000' },
      steps: { type: 'string', default: '50' },
      seed: { type: 'string', default: '1' },
      differences: { type: 'string', default: '10' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    say(help);
    return 0;
  }
  const etcd = await findEtcd();
  if (etcd === null) {
    say('etcd is not on the PATH. On Debian or Ubuntu: apt-get install etcd-server');
    return 1;
  }
  const first = Number(values.seed);
  const end = first + Number(values.programs);
  const tally: Tally = { steps: 0, failed: 0, watches: 0, events: 0 };
  const differing: number[] = [];
  let done = 0;
  let stores = await Stores.start(etcd);
  try {
    for (let seed = first; seed < end; seed++) {
      try {
        await new Program(stores.pair, seed, tally).run(Number(values.steps));
      } catch (error) {
        if (!(error instanceof Difference)) throw error;
        differing.push(seed);
        show(seed, error);
        if (differing.length >= Number(values.differences)) break;
        await stores.stop();
        stores = await Stores.start(etcd);
      }
      if (++done % 100 === 0) say(`${done} programs, ${tally.steps} steps`);
    }
  } finally {
    await stores.stop();
  }
  const share = ((100 * tally.failed) / tally.steps).toFixed(1);
  say(
    `${done} programs, ${tally.steps} steps, ${share} % refused, ${tally.watches} watches with ` +
      `${tally.events} events: ${differing.length} programs differ`,
  );
  return differing.length === 0 ? 0 : 1;
}

function show(seed: number, { step, ours, theirs }: Difference): void {
  const text = (value: unknown) => inspect(value, { depth: 20, breakLength: 120 });
  say(`\nSeed ${seed} differs at ${text(step)}\nours: ${text(ours)}\netcd: ${text(theirs)}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main();
