import { expect, test } from 'vitest';
import { FlushRounds } from '../../src/server/flush-rounds.ts';
import { Turns } from '../node/turns.ts';

/** Takes so many milliseconds to write. */
class Slow {
  readonly writtenAtMs: number[] = [];
  readonly #clock: Turns;
  readonly #ms: number;

  constructor(clock: Turns, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  flush(): void {
    this.writtenAtMs.push(this.#clock.monotonic());
    this.#clock.pass(this.#ms);
  }
}

test('what is written at once takes nothing from the next', async () => {
  const clock = new Turns();
  const rounds = new FlushRounds(clock);
  const quick = new Slow(clock, 0);
  rounds.add(quick);
  rounds.add(quick);
  await Promise.resolve();
  expect(quick.writtenAtMs).toHaveLength(1);
});

test('after a slice of writes others have the time of two', async () => {
  const clock = new Turns();
  const rounds = new FlushRounds(clock);
  const many = Array.from({ length: 100 }, () => new Slow(clock, 1));
  for (const one of many) rounds.add(one);
  await Promise.resolve();
  const written = () => many.filter(({ writtenAtMs }) => writtenAtMs.length > 0);
  const first = written().length;
  expect(first).toBeLessThan(50);
  clock.pass(first);
  expect(written()).toHaveLength(first);
  clock.settle();
  expect(written()).toHaveLength(100);
});

test('a round waits the longer, the more sockets the one before has written to', async () => {
  const restMs = async (sockets: number): Promise<number> => {
    const clock = new Turns();
    const rounds = new FlushRounds(clock);
    const many = Array.from({ length: sockets }, () => new Slow(clock, 0));
    for (const one of many) rounds.add(one);
    clock.settle();
    await Promise.resolve();
    clock.settle();
    const [first] = many as [Slow];
    rounds.add(first);
    await Promise.resolve();
    let waitedMs = 0;
    for (; first.writtenAtMs.length === 1; waitedMs++) clock.pass(1);
    return waitedMs;
  };
  expect(await restMs(1)).toBeLessThan(5);
  const some = await restMs(300);
  expect(some).toBeGreaterThan(10);
  expect(await restMs(5000)).toBeLessThan(60);
});

test('who has gone is not written to', async () => {
  const clock = new Turns();
  const rounds = new FlushRounds(clock);
  const gone = new Slow(clock, 0);
  rounds.add(gone);
  rounds.remove(gone);
  await Promise.resolve();
  expect(gone.writtenAtMs).toEqual([]);
});
