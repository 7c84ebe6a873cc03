import { expect, test } from 'vitest';
import { createPrng, type Random, randomBelow } from '../../src/base/prng.ts';
import type { Append, Entry } from '../../src/format/types.ts';
import { Power } from '../sim/power.ts';
import { LogModel } from './log-model.ts';
import { appendOf, headerAt, Machine, settle } from './machine.ts';

const mebi = 1024 * 1024;
const options = { segmentBytes: mebi, generationBytesMax: 1 };

/** Random appends: mostly more entries, now and then a cut of the last few, always a hard state. */
class Author {
  readonly #random: Random;
  #term = 1;
  bytes = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  write(last: number, committed: number): Append {
    const random = this.#random;
    if (random() < 0.1) this.#term++;
    const cut = random() < 0.1 ? randomBelow(random, last - committed + 1) : 0;
    const size = randomBelow(random, random() < 0.05 ? 700_000 : 20_000);
    const command = new Uint8Array(size).fill(randomBelow(random, 256));
    this.bytes += size;
    const entries = Array.from({ length: 1 + randomBelow(random, 3) }, (_, at): Entry => {
      const id = { term: this.#term, index: last - cut + 1 + at };
      return at === 0 ? { type: 'command', ...id, command } : { type: 'noop', ...id };
    });
    const commitIndex = Math.max(committed, last - cut - 5);
    return appendOf(entries, { currentTerm: this.#term, votedFor: null, commitIndex });
  }
}

/** Appends until the power goes. Returns the log with and without the append that was out. */
async function appendUntilCut(
  machine: Machine,
  author: Author,
  log: LogModel,
): Promise<{ readonly certain: LogModel; readonly possible: LogModel }> {
  let certain = log;
  let possible = log;
  try {
    const storage = await machine.open(options);
    for (;;) {
      const append = author.write(certain.last, certain.committed);
      possible = certain.copy();
      possible.append(append);
      await storage.append(append);
      certain = possible;
      machine.clock.step(machine.clock.monotonic() + 3);
      if (certain.committed > 0) {
        const { index, term } = certain.entryAt(certain.committed);
        storage.applied(() => headerAt(index, term));
      }
      await settle();
    }
  } catch (error) {
    if (!machine.power.isOff) throw error;
  }
  return { certain, possible };
}

test('64 MiB of log survive power cuts everywhere, with torn, lost and zeroed pages', async () => {
  const random = createPrng(64);
  const author = new Author(random);
  let machine = new Machine(new Power());
  let log = new LogModel();
  let cuts = 0;
  while (author.bytes < 64 * mebi) {
    machine.power.cutAfter(10 + randomBelow(random, 80));
    const { certain, possible } = await appendUntilCut(machine, author, log);
    machine = machine.cut('random', random);
    const storage = await machine.open(options);
    const found = [certain, possible].find((model) => model.matches(storage));
    expect(found, `after cut ${++cuts}`).toBeDefined();
    log = found ?? log;
    machine = machine.cut('keep');
  }
  expect(cuts).toBeGreaterThan(30);
  expect(await log.matchesReading(await machine.open(options))).toBe(true);
}, 60_000);
