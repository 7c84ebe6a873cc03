import { describe, expect, test } from 'vitest';
import { type ErrorCode, RollcallError } from '../../src/base/errors.ts';
import { backoffMs } from '../../src/client/backoff.ts';
import { isRepeatable, mayMend, mayResend, mayResume } from '../../src/client/resend.ts';
import { operation } from '../../src/client/txn.ts';

function error(code: ErrorCode): RollcallError {
  return new RollcallError(code, 'for the test');
}

describe('what may be sent again', () => {
  test('requests that change nothing are repeatable, writes are not', () => {
    for (const method of ['range', 'discover', 'services', 'leaseList', 'status'] as const) {
      expect(isRepeatable(method, {})).toBe(true);
    }
    for (const method of ['put', 'delete', 'leaseGrant', 'leaseRevoke', 'register'] as const) {
      expect(isRepeatable(method, {})).toBe(false);
    }
    expect(isRepeatable('leaseKeepAlive', {})).toBe(true);
  });

  test('a transaction is repeatable only if nothing in it writes, nested ones included', () => {
    const read = operation.range('a');
    const write = operation.put('a', '1');
    expect(isRepeatable('txn', { success: [read], failure: [] })).toBe(true);
    expect(isRepeatable('txn', { success: [read], failure: [write] })).toBe(false);
    expect(isRepeatable('txn', { success: [operation.txn({ success: [read] })] })).toBe(true);
    expect(isRepeatable('txn', { success: [operation.txn({ failure: [write] })] })).toBe(false);
  });

  test.each<[ErrorCode, boolean, boolean]>([
    ['notLeader', true, true],
    ['noLeader', true, true],
    ['notBorn', true, true],
    ['connectionLost', false, true],
    ['leadershipLost', false, true],
    ['timeout', false, true],
    ['removed', true, true],
    ['compacted', false, false],
    ['leaseNotFound', false, false],
    ['tooManyRequests', false, false],
    ['internal', false, false],
  ])('%s: a write %s, a read %s', (code, write, read) => {
    expect(mayResend(error(code), false)).toBe(write);
    expect(mayResend(error(code), true)).toBe(read);
  });

  test('the flag on the error decides, not the default of its code', () => {
    const never = new RollcallError('connectionLost', 'never left', { definite: true });
    expect(mayResend(never, false)).toBe(true);
    const unsure = new RollcallError('notLeader', 'perhaps', { definite: false });
    expect(mayResend(unsure, false)).toBe(false);
  });

  test('streams go on after what passes, and end where history is gone', () => {
    expect(mayResume(error('noLeader'))).toBe(true);
    expect(mayResume(error('connectionLost'))).toBe(true);
    expect(mayResume(error('cancelled'))).toBe(true);
    expect(mayResume(error('removed'))).toBe(true);
    expect(mayResume(error('compacted'))).toBe(false);
    expect(mayResume(error('invalidArgument'))).toBe(false);
  });

  test('a registration is given up only where the request itself is wrong', () => {
    expect(mayMend(error('noLeader'))).toBe(true);
    expect(mayMend(error('leaseNotFound'))).toBe(true);
    expect(mayMend(error('invalidArgument'))).toBe(false);
  });
});

describe('backoff', () => {
  const backoff = { minMs: 20, maxMs: 1000 };

  test('doubles up to its bound, and never loses all of its jitter', () => {
    expect(backoffMs(backoff, 0, () => 0)).toBe(10);
    expect(backoffMs(backoff, 0, () => 1)).toBe(20);
    expect(backoffMs(backoff, 3, () => 1)).toBe(160);
    expect(backoffMs(backoff, 6, () => 1)).toBe(1000);
    expect(backoffMs(backoff, Number.MAX_SAFE_INTEGER, () => 0)).toBe(500);
  });
});
