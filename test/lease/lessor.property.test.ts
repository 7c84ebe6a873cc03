import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lessor } from '../../src/lease/lessor.ts';

const ids = fc.constantFrom('0a', '0b', '0c', '0d', '0e', '0f');
const step = fc.record({
  action: fc.constantFrom('grant', 'grant', 'renew', 'revoke', 'wait', 'wait'),
  id: ids,
  ttlMs: fc.constantFrom(10, 20, 30),
});

describe('Lessor', () => {
  test('ends leases in the order of (deadline, id), each at its deadline and not before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const lessor = new Lessor();
        const model = new Map<string, { ttlMs: number; deadlineMs: number }>();
        let now = 0;
        for (const { action, id, ttlMs } of steps) {
          const lease = model.get(id);
          if (action === 'wait') now += ttlMs / 5;
          else if (action === 'grant' && lease === undefined) {
            const state = { ttlMs, deadlineMs: now + ttlMs };
            model.set(id, state);
            lessor.add(id, { ...state, revoked: false });
          } else if (lease !== undefined && action === 'renew') {
            lease.deadlineMs = now + lease.ttlMs;
            lessor.renew(id, now);
          } else if (lease !== undefined && action === 'revoke') {
            lease.deadlineMs = now;
            lessor.revoke(id, now);
          }
          const due = [...model]
            .filter(([, { deadlineMs }]) => deadlineMs <= now)
            .sort(
              ([a, left], [b, right]) => left.deadlineMs - right.deadlineMs || (a < b ? -1 : 1),
            );
          for (const [dueId] of due) {
            expect(lessor.alive(dueId, now)).toBeNull();
            expect(lessor.ended(now)?.id).toBe(dueId);
            lessor.remove(dueId);
            model.delete(dueId);
          }
          expect(lessor.ended(now)).toBeNull();
          const alive = [...model.keys()].sort();
          expect(Array.from(lessor.list(now), (each) => each.id)).toEqual(alive);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('keeps the keys of each space in order', () => {
    const lessor = new Lessor();
    lessor.add('0a', { ttlMs: 10, deadlineMs: 10, revoked: false });
    for (const key of ['b', 'a', 'c']) lessor.attach('0a', 0, key);
    lessor.attach('0a', 1, 'b');
    expect(lessor.keys('0a', 0)).toEqual(['a', 'b', 'c']);
    expect(lessor.keys('0a', 0, 2)).toEqual(['a', 'b']);
    lessor.detach('0a', 0, 'b');
    expect(lessor.keys('0a', 0)).toEqual(['a', 'c']);
    expect(lessor.keys('0a', 1)).toEqual(['b']);
    expect(lessor.keys('0b', 0)).toEqual([]);
  });
});
