import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createLog, type LogLevel } from '../../src/server/log.ts';

function capture(level: LogLevel = 'debug', isTTY = false) {
  const output = Object.assign(new PassThrough(), { isTTY });
  const log = createLog({ level, fields: { node: 'a' }, output });
  return {
    log,
    lines: () =>
      String(output.read() ?? '')
        .split('\n')
        .slice(0, -1),
  };
}

const hostile = 'x\n{"level":50,"msg":"forged"}\r\u001b[31m\u2028\u202e\u0085y';

describe('the log', () => {
  test('is a line of JSON per event', () => {
    const { log, lines } = capture();
    log.warn({ peer: 'b', count: 2 }, 'It happened');
    const [line, ...rest] = lines();
    expect(rest).toEqual([]);
    expect(JSON.parse(line ?? '')).toMatchObject({
      level: 40,
      node: 'a',
      peer: 'b',
      count: 2,
      msg: 'It happened',
      time: expect.stringMatching(/^\d{4}-/),
    });
  });

  test.each([true, false])('cannot be forged from outside (on a terminal: %s)', (isTTY) => {
    const { log, lines } = capture('debug', isTTY);
    log.info({ name: hostile, list: [hostile], [hostile]: { deep: hostile } }, hostile);
    log.error({ error: new Error(hostile, { cause: new Error(hostile) }) }, 'Failed');
    const text = lines().join('\n');
    expect(text).not.toMatch(/^\{"level":50,"msg":"forged"\}/m);
    expect(text).not.toContain('\u001b[31m\u2028');
    expect(text).not.toMatch(/[\u2028\u202e\u0085\r]/);
    if (!isTTY) expect(text.split('\n')).toHaveLength(2);
  });

  test('cuts what is too long and too deep', () => {
    const { log, lines } = capture();
    log.info({ long: 'x'.repeat(1_000_000), deep: { a: { b: { c: { d: 1 } } } } }, 'm');
    expect(lines()[0]?.length).toBeLessThan(2000);
  });

  test('leaves out what is below its level', () => {
    const { log, lines } = capture('error');
    log.debug({}, 'd');
    log.info({}, 'i');
    log.warn({}, 'w');
    log.error({}, 'e');
    expect(lines()).toHaveLength(1);
  });
});
