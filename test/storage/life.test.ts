/**
 * Lives of random length: appends that cut and extend the log, generations, releases and installs in
 * any order and at any distance, each life ended by a power cut at a random operation.
 */
import { expect, test } from 'vitest';
import { createPrng, type Random, randomBelow } from '../../src/base/prng.ts';
import type { Append, EntryId } from '../../src/format/types.ts';
import type { Storage } from '../../src/storage/types.ts';
import { Power } from '../sim/power.ts';
import { LogModel } from './log-model.ts';
import { appendOf, entriesFrom, Machine, settle } from './machine.ts';
import { applyUpTo, receiveState, recordsOf, snapshotOf, stateAt } from './state.ts';

class Member {
  readonly #random: Random;
  #machine = new Machine(new Power());
  #term = 1;
  certain = new LogModel();
  possible = this.certain;
  installs = 0;
  releases = 0;

  constructor(seed: number) {
    this.#random = createPrng(seed);
  }

  async live(): Promise<void> {
    this.#machine.power.cutAfter(this.#below(120));
    try {
      const storage = await this.#machine.open({ generationBytesMax: 1 });
      for (;;) await this.#step(storage);
    } catch (error) {
      if (!this.#machine.power.isOff) throw error;
    }
    this.#machine = this.#machine.cut('random', this.#random);
  }

  async expectRecovered(): Promise<void> {
    const storage = await this.#machine.open();
    const found = [this.certain, this.possible].find((model) => model.matches(storage));
    expect(found, 'neither with nor without the append that was out').toBeDefined();
    expect(await found?.matchesReading(storage)).toBe(true);
    const applied = storage.checkpoint?.applied.index ?? 0;
    expect(await recordsOf(storage.load('', '\xff'))).toEqual(stateAt(applied));
    this.certain = found ?? this.certain;
    this.possible = this.certain;
    this.#machine = this.#machine.cut('keep');
  }

  async #step(storage: Storage): Promise<void> {
    const random = this.#random();
    if (random < 0.6) await this.#append(storage, appendOf(...this.#entries()));
    else if (random < 0.75) await this.#apply(storage);
    else if (random < 0.85) await this.#release(storage);
    else if (random < 0.89) await this.#install(storage);
    else await this.#wait();
  }

  /** New entries, now and then in place of the last few that are not committed. */
  #entries(): [Append['entries'], Append['hardState']] {
    const { last, committed } = this.certain;
    if (this.#random() < 0.2) this.#term++;
    const floor = Math.max(committed, this.certain.base);
    const cut = this.#random() < 0.3 ? this.#below(last - floor + 1) : 0;
    const first = last - cut + 1;
    const count = this.#below(4);
    const entries = entriesFrom(first, count, this.#term, this.#below(20_000));
    const end = count === 0 ? last : first + count - 1;
    const commitIndex = committed + this.#below(end - committed + 1);
    return [entries, { currentTerm: this.#term, votedFor: null, commitIndex }];
  }

  async #append(storage: Storage, append: Append): Promise<void> {
    this.possible = this.certain.copy();
    this.possible.append(append);
    await storage.append(append);
    this.certain = this.possible;
  }

  async #apply(storage: Storage): Promise<void> {
    const applied = storage.checkpoint?.applied.index ?? 0;
    const id = this.certain.idAt(this.certain.committed);
    if (id === null || id.index <= applied) return;
    applyUpTo(storage, id);
    if (this.#random() < 0.7) await settle();
  }

  async #release(storage: Storage): Promise<void> {
    const before = storage.logFirst;
    await storage.releaseLog(this.#below(this.certain.last + 10));
    if (storage.logFirst > before) this.releases++;
  }

  /** Within the log, by the same entry or another, at its end, or beyond. */
  async #install(storage: Storage): Promise<void> {
    const { committed, last } = this.certain;
    const index = committed + 1 + this.#below(last - committed + 8);
    const held = index <= last ? this.certain.idAt(index) : null;
    const isSame = held !== null && this.#random() < 0.5;
    if (!isSame) this.#term++;
    const id: EntryId = isSame ? held : { term: this.#term, index };
    const staging = await receiveState(storage, id);
    if (this.#random() < 0.2) {
      await staging.abort();
      return;
    }
    const next = this.#random() < 0.5 ? entriesFrom(index + 1, 1 + this.#below(2), this.#term) : [];
    const entries = isSame ? [] : next;
    const hardState = { currentTerm: this.#term, votedFor: null, commitIndex: index };
    await this.#append(storage, { ...appendOf(entries, hardState), snapshot: snapshotOf(id) });
    this.installs++;
  }

  async #wait(): Promise<void> {
    const { clock } = this.#machine;
    clock.step(clock.monotonic() + 20);
    await settle();
  }

  #below(limit: number): number {
    return randomBelow(this.#random, limit);
  }
}

test('every life goes on where the power ended the one before', async () => {
  let installs = 0;
  let releases = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const member = new Member(seed);
    for (let life = 0; life < 8; life++) {
      await member.live();
      await member.expectRecovered();
    }
    installs += member.installs;
    releases += member.releases;
  }
  expect(installs).toBeGreaterThan(200);
  expect(releases).toBeGreaterThan(100);
}, 60_000);
