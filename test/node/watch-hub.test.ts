import { describe, expect, test } from 'vitest';
import { emptyBytes } from '../../src/base/bytes.ts';
import { RollcallError } from '../../src/base/errors.ts';
import type { KeyEvent, KeyRange, KeyValue, Revision } from '../../src/mvcc/types.ts';
import type { WatchBatch } from '../../src/node/types.ts';
import { WatchHub, type WatchOptions } from '../../src/node/watch-hub.ts';
import type { WatchSource } from '../../src/node/watcher.ts';
import type { KeySpaceName, RevisionEvents } from '../../src/state-machine/types.ts';
import { Turns } from './turns.ts';

/** A history of puts, one key each, kept as a plain list. */
class History implements WatchSource {
  readonly list: RevisionEvents[] = [];
  revision: Revision = 1;
  compacted = 0;
  /** How often it was read. */
  reads = 0;
  /** Of every pair before a change. */
  valueBefore: Uint8Array | null = null;

  compactRevision(): Revision {
    return this.compacted;
  }

  put(...keys: string[]): RevisionEvents {
    return this.#change('put', keys);
  }

  delete(...keys: string[]): RevisionEvents {
    return this.#change('delete', keys);
  }

  #change(type: 'put' | 'delete', keys: readonly string[]): RevisionEvents {
    const revision = ++this.revision;
    const events = keys.map((key): KeyEvent => {
      const pair = {
        key,
        value: emptyBytes,
        createRevision: revision,
        modRevision: revision,
        version: 1,
        leaseId: null,
      };
      return { type, pair, cause: 'request' };
    });
    const changed = { space: 'kv' as const, revision, events };
    this.list.push(changed);
    return changed;
  }

  history(_space: KeySpaceName, range: KeyRange, from: Revision, revisionsMax: number) {
    this.reads++;
    const inside = (key: string) =>
      range.rangeEnd === null ? key === range.key : key >= range.key && key < range.rangeEnd;
    const revisions = this.list
      .filter(({ revision }) => revision >= from)
      .map((one) => ({ ...one, events: one.events.filter(({ pair }) => inside(pair.key)) }))
      .filter(({ events }) => events.length > 0);
    if (revisions.length <= revisionsMax) return { revisions, next: this.revision + 1 };
    const page = revisions.slice(0, revisionsMax);
    return { revisions: page, next: (page.at(-1)?.revision ?? 0) + 1 };
  }

  before(_space: KeySpaceName, key: string, revision: Revision): KeyValue | null {
    if (this.valueBefore === null) return null;
    const numbers = { createRevision: 1, modRevision: revision - 1, version: 1, leaseId: null };
    return { key, value: this.valueBefore, ...numbers };
  }
}

class Sink {
  readonly batches: WatchBatch[] = [];
  readonly seen: string[] = [];
  ended: RollcallError | null = null;
  /** Says that it is full after so many batches. */
  room = Number.POSITIVE_INFINITY;

  send(batch: WatchBatch): boolean {
    this.batches.push(batch);
    const keys = batch.events.map(({ pair }) => pair.key).join('+');
    this.seen.push(`${batch.revision}:${keys}${batch.more ? ' …' : ''}`);
    return --this.room > 0;
  }

  progress(revision: Revision): void {
    this.seen.push(`${revision}`);
  }

  end(error: RollcallError): void {
    this.ended = error;
  }
}

const plain = {
  space: 'kv',
  previous: false,
  noPut: false,
  noDelete: false,
  progressMs: 0,
} as const;

function setUp() {
  const turns = new Turns();
  const history = new History();
  const hub = new WatchHub(history, turns);
  const put = (...keys: string[]) => hub.applied([history.put(...keys)]);
  const watch = (
    key: string,
    rangeEnd: string | null,
    from: Revision,
    sink = new Sink(),
    options: Partial<WatchOptions> = {},
  ) => {
    const handle = hub.watch({ ...plain, ...options, key, rangeEnd, from }, sink);
    return { sink, handle };
  };
  return { turns, hub, history, put, watch };
}

test('a synced watcher is handed its keys only, a revision at a time', () => {
  const { put, watch } = setUp();
  const one = watch('b', null, 2);
  const range = watch('a', 'c', 2);
  put('a');
  put('b', 'a', 'z');
  put('c');
  expect(one.sink.seen).toEqual(['3:b']);
  expect(range.sink.seen).toEqual(['2:a', '3:b+a']);
});

test('a watcher from the past reads history and goes on live without a gap or a repeat', () => {
  const { put, watch, turns } = setUp();
  for (let count = 0; count < 300; count++) put('k');
  const { sink } = watch('k', null, 100);
  put('k');
  turns.run();
  put('k');
  const revisions = sink.seen.map((text) => Number(text.split(':')[0]));
  expect(revisions).toEqual(Array.from({ length: 204 }, (_, at) => 100 + at));
});

test('a full sink is left alone and catches up when it resumes', () => {
  const { put, watch, turns } = setUp();
  const sink = new Sink();
  sink.room = 2;
  const { handle } = watch('k', null, 2, sink);
  for (let count = 0; count < 5; count++) put('k');
  turns.run();
  expect(sink.seen).toEqual(['2:k', '3:k']);
  sink.room = Number.POSITIVE_INFINITY;
  handle.resume();
  turns.run();
  put('k');
  expect(sink.seen).toEqual(['2:k', '3:k', '4:k', '5:k', '6:k', '7:k']);
});

test('a watch from a future revision sees nothing earlier', () => {
  const { put, watch } = setUp();
  const { sink } = watch('k', null, 4);
  for (let count = 0; count < 4; count++) put('k');
  expect(sink.seen).toEqual(['4:k', '5:k']);
});

test('what is compacted ends the stream with that code', () => {
  const { put, watch, turns, history } = setUp();
  for (let count = 0; count < 5; count++) put('k');
  history.compacted = 4;
  const gone = watch('k', null, 3);
  const rest = watch('k', null, 4);
  turns.run();
  expect(gone.sink.seen).toEqual([]);
  expect(gone.sink.ended).toMatchObject({
    code: 'compacted',
    details: { compactRevision: 4, resumeRevision: 4 },
  });
  expect(rest.sink.seen).toEqual(['4:k', '5:k', '6:k']);
});

test('nothing follows a cancel', () => {
  const { put, watch, turns } = setUp();
  put('k');
  const behind = watch('k', null, 2);
  const synced = watch('k', null, 3);
  behind.handle.cancel();
  synced.handle.cancel();
  put('k');
  turns.run();
  expect([...behind.sink.seen, ...synced.sink.seen]).toEqual([]);
  expect(synced.sink.ended).toBe(null);
});

test('puts or deletions are left out, and revisions of nothing else are not told', () => {
  const { hub, history, put, watch, turns } = setUp();
  const past = new Sink();
  const puts = watch('k', null, 2, new Sink(), { noDelete: true });
  const deletions = watch('k', null, 2, new Sink(), { noPut: true });
  const neither = watch('k', null, 2, new Sink(), { noPut: true, noDelete: true });
  put('k');
  hub.applied([history.delete('k')]);
  watch('k', null, 2, past, { noPut: true });
  turns.run();
  expect(puts.sink.seen).toEqual(['2:k']);
  expect(deletions.sink.seen).toEqual(['3:k']);
  expect(past.seen).toEqual(['3:k']);
  expect(neither.sink.seen).toEqual([]);
});

test('all who watch the same are told the same object, live and from history', () => {
  const { put, watch, turns } = setUp();
  const live = Array.from({ length: 3 }, () => watch('a', 'c', 2).sink);
  put('b');
  const late = Array.from({ length: 3 }, () => watch('a', 'c', 2).sink);
  turns.run();
  for (const sinks of [live, late]) {
    expect(new Set(sinks.map(({ batches }) => batches[0])).size).toBe(1);
  }
});

test('a crowd that comes back at once costs one reading of history', () => {
  const { put, watch, turns, history } = setUp();
  for (let count = 0; count < 10; count++) put('k');
  const sinks = Array.from({ length: 500 }, () => watch('a', 'z', 3).sink);
  turns.settle();
  for (const { seen } of sinks) expect(seen).toHaveLength(9);
  // One page that a turn may not have sufficed for.
  expect(history.reads).toBeLessThan(20);
});

test('who is not told before the turn is over reads it from history', () => {
  const { put, watch, turns } = setUp();
  const sinks = Array.from({ length: 5000 }, () => watch('k', null, 2).sink);
  put('k');
  put('k');
  turns.settle();
  put('k');
  turns.settle();
  for (const { seen } of sinks) expect(seen).toEqual(['2:k', '3:k', '4:k']);
});

test('many who watch different keys do not hold the loop for longer than as many who watch the same', () => {
  const { put, watch, turns } = setUp();
  const sinks = Array.from({ length: 5000 }, (_, at) => watch(`a${at}`, 'z', 2).sink);
  put('k');
  expect(sinks.filter(({ seen }) => seen.length > 0).length).toBeLessThan(3000);
  put('k');
  turns.settle();
  for (const { seen } of sinks) expect(seen).toEqual(['2:k', '3:k']);
});

test('a revision in many parts does not hold the loop, live or from history', () => {
  const { hub, history, watch, turns } = setUp();
  history.valueBefore = new Uint8Array(1_000_000);
  const keys = Array.from({ length: 100 }, (_, at) => `k${100 + at}`);
  const live = watch('k', 'l', 2, new Sink(), { previous: true }).sink;
  hub.applied([history.delete(...keys)]);
  const parts = keys.map((key, at) => `2:${key}${at < 99 ? ' …' : ''}`);
  const late = Array.from({ length: 2 }, () => watch('k', 'l', 2, new Sink(), { previous: true }));
  let before = live.seen.length;
  expect(before).toBeLessThan(20);
  for (let turn = 0; turn < 3; turn++) {
    turns.runOne();
    expect(live.seen.length - before).toBeLessThan(20);
    before = live.seen.length;
  }
  turns.settle();
  for (const { seen } of [live, ...late.map(({ sink }) => sink)]) expect(seen).toEqual(parts);
});

test('a revision that is too large for a frame comes in parts, and goes on within it', () => {
  const { hub, history, watch, turns } = setUp();
  history.valueBefore = new Uint8Array(400_000);
  const sink = new Sink();
  sink.room = 1;
  const { handle } = watch('k', 'l', 2, sink, { previous: true });
  const other = watch('k', 'l', 2, new Sink(), { previous: true });
  hub.applied([history.delete('k1', 'k2', 'k3', 'k4', 'k5')]);
  expect(sink.seen).toEqual(['2:k1+k2 …']);
  sink.room = 1;
  handle.resume();
  turns.run();
  expect(sink.seen).toEqual(['2:k1+k2 …', '2:k3+k4 …']);
  sink.room = Number.POSITIVE_INFINITY;
  handle.resume();
  turns.run();
  expect(sink.seen).toEqual(['2:k1+k2 …', '2:k3+k4 …', '2:k5']);
  expect(other.sink.seen).toEqual(sink.seen);
});

describe('a bookmark', () => {
  test('comes at once where everything was told, else as soon as it is', () => {
    const { put, watch, turns } = setUp();
    const live = watch('k', null, 2);
    put('other');
    live.handle.requestProgress();
    expect(live.sink.seen).toEqual(['2']);
    put('k');
    const behind = watch('k', null, 2);
    behind.handle.requestProgress();
    expect(behind.sink.seen).toEqual([]);
    turns.run();
    expect(behind.sink.seen).toEqual(['3:k', '3']);
  });

  test('of a watch that waits for a revision to come names one that exists', () => {
    const { put, watch } = setUp();
    const { sink, handle } = watch('k', null, 100);
    put('k');
    handle.requestProgress();
    expect(sink.seen).toEqual(['2']);
  });

  test('waits for a sink that is full', () => {
    const { put, watch, turns } = setUp();
    const sink = new Sink();
    sink.room = 1;
    const { handle } = watch('k', null, 2, sink);
    put('k');
    put('k');
    handle.requestProgress();
    turns.run();
    expect(sink.seen).toEqual(['2:k']);
    sink.room = Number.POSITIVE_INFINITY;
    handle.resume();
    turns.run();
    expect(sink.seen).toEqual(['2:k', '3:k', '3']);
  });

  test('comes by the clock while nothing is told, and no more once the watch is over', () => {
    const { put, watch, turns } = setUp();
    const { sink, handle } = watch('k', null, 2, new Sink(), { progressMs: 1500 });
    put('other');
    turns.pass(1500);
    expect(sink.seen).toEqual([]);
    turns.pass(600);
    expect(sink.seen).toEqual(['2']);
    put('k');
    turns.pass(2100);
    expect(sink.seen).toEqual(['2', '3:k']);
    turns.pass(2100);
    expect(sink.seen).toEqual(['2', '3:k', '3']);
    handle.cancel();
    expect(turns.timers).toBe(0);
  });
});

test('the end says where another watch is to go on', () => {
  const { put, watch, turns, hub } = setUp();
  const live = watch('k', null, 2);
  const paused = new Sink();
  paused.room = 1;
  watch('k', null, 2, paused);
  const future = watch('k', null, 50);
  put('k');
  put('other');
  turns.run();
  hub.endAll(new RollcallError('noLeader', 'for the test'));
  const resumed = [live.sink, paused, future.sink].map((sink) => sink.ended?.details);
  expect(resumed).toEqual([{ resumeRevision: 4 }, { resumeRevision: 3 }, { resumeRevision: 50 }]);
});
