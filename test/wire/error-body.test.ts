import { describe, expect, test } from 'vitest';
import { type ErrorCode, errorCodes, RollcallError } from '../../src/base/errors.ts';
import { errorBody, errorFromBody } from '../../src/wire/error-body.ts';

describe('error bodies', () => {
  test.each(Object.keys(errorCodes) as ErrorCode[])('carry %s and its flag', (code) => {
    for (const definite of [true, false]) {
      const back = errorFromBody(errorBody(new RollcallError(code, 'It failed', { definite })));
      expect(back).toMatchObject({ code, definite });
    }
  });

  test('carry details and message', () => {
    const error = new RollcallError('notLeader', 'Ask b', { details: { leaderId: 'b', n: 1 } });
    expect(errorFromBody(errorBody(error))).toMatchObject({
      message: 'Ask b',
      details: { leaderId: 'b', n: 1 },
    });
  });

  test('keep what is private on the node', () => {
    const error = new RollcallError('storageFailed', 'EIO at /var/lib/rollcall/wal/3', {
      cause: new Error('secret'),
    });
    expect(JSON.stringify(errorBody(error))).not.toMatch(/var|secret|stack/);
  });

  test('of a newer server become internal and keep the flag', () => {
    const body = { code: 'quotaExceeded', message: 'Too much', definite: true };
    expect(errorFromBody(body)).toMatchObject({
      code: 'internal',
      definite: true,
      message: 'Too much (quotaExceeded)',
    });
  });

  test.each([undefined, null, 7, 'text', {}, { code: 'constructor' }, { details: [{}] }])(
    'of any other form (%j) are still an error',
    (body) => {
      expect(errorFromBody(body)).toMatchObject({ code: 'internal', definite: false });
    },
  );
});
