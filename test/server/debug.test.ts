/** The debug face: what it answers, and to whom. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { Debug } from '../../src/server/debug.ts';
import { systemClock } from '../../src/server/system-clock.ts';
import { type Fixture, openFixture } from './endpoint-fixture.ts';

let debug: Debug;
let fixture: Fixture;

beforeEach(async () => {
  debug = new Debug(systemClock, silentLog);
  fixture = await openFixture({}, true, debug);
});

afterEach(() => fixture.close());

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function ask(
  method: string,
  path: string,
  body = '',
  headers: Record<string, string> = {},
): Promise<Answer> {
  const [host, port] = fixture.endpoint.address.split(':');
  const request = httpRequest({ host, port, path, headers, method, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

const place = '/debug/failpoints/append.durable';

describe('failpoints', () => {
  test('are armed, listed and disarmed', async () => {
    const armed = { action: 'crash', delayMs: 0, skip: 3, times: 1 };
    const { status, body } = await ask('PUT', place, '{"action":"crash","skip":3}');
    expect([status, JSON.parse(body)]).toEqual([
      200,
      { name: 'append.durable', description: expect.any(String), reached: 0, armed },
    ]);
    const { failpoints } = JSON.parse((await ask('GET', '/debug/failpoints')).body);
    const on = (failpoints as { name: string; armed: unknown }[]).filter((one) => one.armed);
    expect(on).toEqual([expect.objectContaining({ name: 'append.durable', armed })]);
    expect(JSON.parse((await ask('DELETE', place)).body)).toMatchObject({ armed: null });
    expect(JSON.parse((await ask('GET', place)).body)).toMatchObject({ armed: null });
  });

  test.each([
    ['no JSON', 'crash'],
    ['nothing', ''],
    ['no object', '[]'],
    ['null', 'null'],
    ['no action', '{}'],
    ['an unknown action', '{"action":"explode"}'],
    ['an action of an object', '{"action":{}}'],
    ['an unknown field', '{"action":"crash","when":1}'],
    ['a delay without its length', '{"action":"delay"}'],
    ['a delay of nothing', '{"action":"delay","delayMs":0}'],
    ['a delay without end', '{"action":"delay","delayMs":1e300}'],
    ['a length of what is no delay', '{"action":"crash","delayMs":5}'],
    ['a negative number', '{"action":"crash","skip":-1}'],
    ['half a time', '{"action":"crash","times":0.5}'],
    ['a number as text', '{"action":"crash","times":"1"}'],
  ])('are not armed by %s', async (_name, body) => {
    const answer = await ask('PUT', place, body);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      400,
      { code: 'invalidArgument', error: expect.any(String) },
    ]);
    expect(debug.failpoints.list().every(({ armed }) => armed === null)).toBe(true);
  });

  test('are not armed by too much', async () => {
    const answer = await ask('PUT', place, `{"action":"crash"}${' '.repeat(100_000)}`);
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([
      413,
      { code: 'frameTooLarge' },
    ]);
  });

  test('of other names are not there', async () => {
    for (const name of ['nowhere', '__proto__', '', 'append.durable/x', 'append%2Edurable']) {
      const answer = await ask('PUT', `/debug/failpoints/${name}`, '{"action":"crash"}');
      expect([answer.status, JSON.parse(answer.body)], name).toMatchObject([
        404,
        { code: 'unknownMethod' },
      ]);
    }
  });
});

test('the trace is lines of JSON, from where the reader was', async () => {
  debug.trace.add('one', { n: 1 });
  debug.trace.add('two', { n: 2 });
  const lines = (await ask('GET', '/debug/trace')).body.split('\n');
  expect(lines.slice(0, 2).map((line) => JSON.parse(line).event)).toEqual(['one', 'two']);
  expect(lines.slice(2)).toEqual(['']);
  expect(JSON.parse((await ask('GET', '/debug/trace?after=1')).body)).toMatchObject({ n: 2 });
  expect(await ask('GET', '/debug/trace?after=2')).toEqual({ status: 200, body: '' });
  expect(await ask('GET', '/debug/trace?after=-1')).toMatchObject({ status: 400 });
});

describe('the digest', () => {
  test('is that of the newest applied entry, or of an older one', async () => {
    const known = {
      memberId: '00000000000000a1',
      index: 9,
      digest: '00000000000000dd',
      revision: 1,
    };
    expect(JSON.parse((await ask('GET', '/debug/digest')).body)).toEqual(known);
    expect(JSON.parse((await ask('GET', '/debug/digest?index=9')).body)).toEqual(known);
  });

  test.each([
    ['an entry that is not applied', '10', 503, 'behind'],
    ['one that is not remembered', '8', 410, 'compacted'],
    ['no number', 'x', 400, 'invalidArgument'],
    ['a number that is none', '1e3', 400, 'invalidArgument'],
    ['too large a number', '99999999999999999999', 400, 'invalidArgument'],
  ])('is not there for %s', async (_name, index, status, code) => {
    const answer = await ask('GET', `/debug/digest?index=${index}`);
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([status, { code }]);
  });

  test('waits for a member', async () => {
    fixture.isBorn = false;
    const answer = await ask('GET', '/debug/digest');
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([503, { code: 'notBorn' }]);
    expect(await ask('GET', '/debug/failpoints')).toMatchObject({ status: 200 });
  });
});

test('foreign hosts and origins are refused, and arm nothing', async () => {
  for (const headers of [{ host: 'evil.example' }, { origin: 'http://evil.example' }]) {
    expect(await ask('PUT', place, '{"action":"crash"}', headers)).toMatchObject({ status: 403 });
  }
  expect(debug.failpoints.report('append.durable').armed).toBeNull();
});

const outside = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

test.skipIf(outside === undefined)(
  'another machine is refused, whatever it calls itself',
  async () => {
    await fixture.close();
    fixture = await openFixture({}, true, debug, '0.0.0.0:0');
    const url = `http://${outside}:${fixture.endpoint.address.split(':')[1]}`;
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const refused = await fetch(`${url}${place}`, { method: 'PUT', body: '{"action":"crash"}' });
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: 'forbidden' }]);
    expect(debug.failpoints.report('append.durable').armed).toBeNull();
  },
);

test('other methods and places are refused', async () => {
  expect(await ask('POST', place, '{"action":"crash"}')).toMatchObject({ status: 405 });
  expect(await ask('DELETE', '/debug/trace')).toMatchObject({ status: 405 });
  for (const path of ['/debug/', '/debug/x', '/debug/trace/', '/debug/failpoints/a/b']) {
    expect(await ask('GET', path), path).toMatchObject({ status: 404 });
  }
});

test('nothing of it is there unless the node was started for it', async () => {
  await fixture.close();
  fixture = await openFixture();
  expect(await ask('GET', '/debug/trace')).toMatchObject({ status: 404 });
  expect(await ask('PUT', place, '{"action":"crash"}')).toMatchObject({ status: 405 });
});
