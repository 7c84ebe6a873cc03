import { expect, test } from 'vitest';
import { emptyBytes } from '../../src/base/bytes.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { RollcallError } from '../../src/base/errors.ts';
import type { KeyEvent, KeyRange, Revision } from '../../src/mvcc/types.ts';
import type { WatchBatch } from '../../src/node/types.ts';
import { WatchHub, type WatchSource } from '../../src/node/watch-hub.ts';
import type { KeySpaceName, RevisionEvents } from '../../src/state-machine/types.ts';

/** A clock whose turns run when the test says so. */
class Turns implements Clock {
  #now = 0;
  readonly #queue: (() => void)[] = [];

  monotonic(): number {
    return this.#now++;
  }

  wall(): number {
    return 0;
  }

  after(): never {
    throw new Error('The hub has no timers');
  }

  soon(callback: () => void): void {
    this.#queue.push(callback);
  }

  run(): void {
    for (let turn = this.#queue.shift(); turn; turn = this.#queue.shift()) turn();
  }
}

/** A history of puts, one key each, kept as a plain list. */
class History implements WatchSource {
  readonly list: RevisionEvents[] = [];
  revision: Revision = 1;
  compacted = 0;

  compactRevision(): Revision {
    return this.compacted;
  }

  put(...keys: string[]): RevisionEvents {
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
      return { type: 'put', pair, cause: 'request' };
    });
    const changed = { space: 'kv' as const, revision, events };
    this.list.push(changed);
    return changed;
  }

  history(_space: KeySpaceName, range: KeyRange, from: Revision, revisionsMax: number) {
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

  before(): null {
    return null;
  }
}

class Sink {
  readonly seen: string[] = [];
  ended: string | null = null;
  /** Says that it is full after so many batches. */
  room = Number.POSITIVE_INFINITY;

  send(batch: WatchBatch): boolean {
    this.seen.push(`${batch.revision}:${batch.events.map(({ pair }) => pair.key).join('+')}`);
    return --this.room > 0;
  }

  end(error: RollcallError): void {
    this.ended = error.code;
  }
}

function setUp() {
  const turns = new Turns();
  const history = new History();
  const hub = new WatchHub(history, turns);
  const put = (...keys: string[]) => hub.applied([history.put(...keys)]);
  const watch = (key: string, rangeEnd: string | null, from: Revision, sink = new Sink()) => {
    const handle = hub.watch({ space: 'kv', key, rangeEnd, from, previous: false }, sink);
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
  history.compacted = 3;
  const gone = watch('k', null, 3);
  const rest = watch('k', null, 4);
  turns.run();
  expect(gone.sink).toMatchObject({ ended: 'compacted', seen: [] });
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
