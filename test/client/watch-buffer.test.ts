import { describe, expect, test } from 'vitest';
import { KeyValue } from '../../src/client/key-value.ts';
import { type WatchBatch, WatchBuffer } from '../../src/client/watch-buffer.ts';

function batch(revision: number, valueBytes = 0): WatchBatch {
  const pair = new KeyValue({
    key: 'k',
    value: new Uint8Array(valueBytes),
    createRevision: 1,
    modRevision: revision,
    version: 1,
    leaseId: null,
  });
  return { revision, events: [{ type: 'put', pair, previous: null }], more: false };
}

describe('where a watch goes on', () => {
  test('from now: after what the node had when it began', () => {
    const buffer = new WatchBuffer(0, 0, 1000);
    expect(buffer.startRevision).toBe(0);
    buffer.created(7);
    expect(buffer.startRevision).toBe(8);
    buffer.created(9);
    expect(buffer.startRevision).toBe(8);
  });

  test('from now is not before what the client has seen, even on a node that lags', () => {
    const buffer = new WatchBuffer(0, 10, 1000);
    buffer.created(8);
    expect(buffer.accepts(10)).toBe(false);
    expect(buffer.accepts(11)).toBe(true);
    expect(buffer.startRevision).toBe(11);
  });

  test('from a revision, and then after the last one taken', () => {
    const buffer = new WatchBuffer(5, 20, 1000);
    buffer.created(20);
    expect(buffer.startRevision).toBe(5);
    expect(buffer.accepts(4)).toBe(false);
    expect(buffer.accepts(5)).toBe(true);
    buffer.add(batch(6));
    expect(buffer.startRevision).toBe(7);
    expect(buffer.accepts(6)).toBe(false);
  });
});

describe('the buffer', () => {
  test('gives batches in order and is empty afterwards', () => {
    const buffer = new WatchBuffer(1, 0, 1e9);
    for (let revision = 1; revision <= 3000; revision++) buffer.add(batch(revision));
    for (let revision = 1; revision <= 3000; revision++) {
      expect(buffer.take()?.revision).toBe(revision);
    }
    expect(buffer.take()).toBeNull();
  });

  test('is full by bytes and drained at a quarter of them', () => {
    const buffer = new WatchBuffer(1, 0, 4000);
    buffer.add(batch(1, 1000));
    expect(buffer.full).toBe(false);
    for (let revision = 2; revision <= 4; revision++) buffer.add(batch(revision, 1000));
    expect(buffer.full).toBe(true);
    buffer.take();
    expect(buffer.full).toBe(false);
    expect(buffer.drained).toBe(false);
    for (let count = 0; count < 3; count++) buffer.take();
    expect(buffer.drained).toBe(true);
  });
});
