/** `get`, `put`, `del` and `txn` with all their options, against a real node. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import type { Client } from '../../src/client/index.ts';
import { TestServer } from '../client/server.ts';
import { FakeTerminal } from './fake-terminal.ts';

let server: TestServer;
let client: Client;

beforeAll(async () => {
  server = await TestServer.start();
  client = await server.connect();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await client.delete({ prefix: '' });
  await client.put('a', '2');
  await client.put('b', '3');
  await client.put('c', '1');
});

async function rollcall(line: string, input = ''): Promise<string> {
  const terminal = new FakeTerminal([server.address]);
  terminal.input = [Buffer.from(input)];
  const code = await main(line.split(' '), terminal);
  return code === 0 ? terminal.printed : `${code} ${terminal.warned.split('\n')[0]}`;
}

describe('get', () => {
  test.each([
    ['get a', '2\n'],
    ['get a c', 'a\n2\nb\n3\n'],
    ['get b --from-key', 'b\n3\nc\n1\n'],
    ['get  --from-key --keys-only', 'a\nb\nc\n'],
    ['get b --keys-only', 'b\n'],
    ['get none --keys-only', ''],
    ['get a c --count-only', '2\n'],
    ['get a d --order descend --limit 2 --keys-only', 'c\nb\n'],
    ['get a d --order DESCEND --sort-by VALUE --keys-only', 'b\na\nc\n'],
    ['get a d --sort-by mod --limit 1', 'a\n2\n'],
    ['get c a', ''],
    ['get none', '1 error: keyNotFound: There is no key none'],
    ['get a --rev 9007199254740991', /^1 error: futureRevision: /],
    ['get a --rev 9007199254740992', /^2 error: usage: .*A revision is a whole number from 1/],
  ])('%s', async (line, expected) => {
    const printed = await rollcall(line);
    if (typeof expected === 'string') expect(printed).toBe(expected);
    else expect(printed).toMatch(expected);
  });

  test('within bounds on revisions', async () => {
    const { modRevision } = (await client.get('b')) ?? { modRevision: 0 };
    expect(await rollcall(`get a d --keys-only --min-mod-rev ${modRevision}`)).toBe('b\nc\n');
    expect(await rollcall(`get a d --keys-only --max-mod-rev ${modRevision}`)).toBe('a\nb\n');
    expect(await rollcall(`get a d --keys-only --min-create-rev ${modRevision + 1}`)).toBe('c\n');
    expect(await rollcall(`get a d --keys-only --max-create-rev ${modRevision - 1}`)).toBe('a\n');
  });

  test('as one JSON document, also of several pages', async () => {
    const success = Array.from({ length: 128 }, (_, at) => ({ at }));
    for (let page = 0; page < 9; page++) {
      await client.txn({
        success: success.map(({ at }) => ({
          ...{ type: 'put' as const, key: `p/${page}/${at}`, value: Buffer.from('v') },
          ...{ leaseId: null, previous: false, ignoreValue: false, ignoreLease: false },
        })),
      });
    }
    const document = JSON.parse(await rollcall('get --prefix p/ --json --keys-only'));
    expect(document).toMatchObject({ revision: client.revision, count: 1152, more: false });
    expect(document.pairs).toHaveLength(1152);
    expect(document.pairs[0]).not.toHaveProperty('value');
    expect(JSON.parse(await rollcall('get none --prefix --json'))).toMatchObject({
      ...{ count: 0, pairs: [], more: false },
    });
    expect(JSON.parse(await rollcall('get a d --json --limit 2'))).toMatchObject({
      ...{ count: 3, pairs: [{ key: 'a' }, { key: 'b' }], more: true },
    });
  });

  test('in another order than that of the keys says when they do not fit into an answer', async () => {
    for (let at = 0; at < 3; at++) await client.put(`l/${at}`, 'v'.repeat(1_000_000));
    expect(await rollcall('get --prefix l/ --sort-by value')).toMatch(
      /^1 error: tooManyKeys: Of 3 keys 2 fit into one answer in this order; give a --limit/,
    );
    // To sort by values they have to be held, whether they are answered or not.
    expect(await rollcall('get --prefix l/ --sort-by value --keys-only')).toMatch(/tooManyKeys/);
    expect(await rollcall('get --prefix l/ --sort-by mod --keys-only')).toBe('l/0\nl/1\nl/2\n');
  });
});

describe('put and del', () => {
  test('print what was there before', async () => {
    expect(await rollcall('put a new --prev-kv')).toMatch(/^revision \d+\na\n2\n$/);
    expect(await rollcall('put none new --prev-kv')).toMatch(/^revision \d+\n$/);
    expect(await rollcall('del a c --prev-kv')).toBe('2\na\nnew\nb\n3\n');
    expect(JSON.parse(await rollcall('del c --prev-kv --json'))).toMatchObject({
      ...{ deleted: 1, previous: [{ key: 'c', value: '1' }] },
    });
  });

  test('keep a value or a lease', async () => {
    const { leaseId } = await client.leases.grant({ ttlMs: 60_000 });
    expect(await rollcall(`put a --ignore-value --lease ${leaseId}`)).toMatch(/^revision/);
    expect(await rollcall('put a other --ignore-lease')).toMatch(/^revision/);
    expect(await client.get('a')).toMatchObject({ valueText: 'other', leaseId });
    expect(await rollcall('put none --ignore-value')).toMatch(/^1 error: keyNotFound/);
    await client.leases.revoke(leaseId);
  });

  test('delete ranges, also in several steps', async () => {
    expect(await rollcall('del b --from-key')).toBe('2\n');
    await client.put('b', '');
    await client.put('c', '');
    expect(await rollcall('del a c --chunked')).toBe('2\n');
    expect(await rollcall('del a --from-key --chunked')).toBe('1\n');
    expect(await rollcall('del c a')).toBe('0\n');
  });
});

describe('txn', () => {
  test('reads the text form', async () => {
    const text = [
      'mod("a") > "0"',
      'create("b") != "0"',
      'ver("none") = "0"',
      'val("c") < "2"',
      'lease("a") = "0"',
      'version("a", "d") = "1"',
      '',
      'put a "two words\\x01"',
      `put 'b' --ignore-value --prev-kv`,
      'get --prefix "" --order descend --limit 1',
      'del c --prev-kv',
      '',
      'put a wrong',
    ].join('\n');
    expect(await rollcall('txn', text)).toMatch(
      /^revision \d+\nSUCCESS\n\nOK\n\nOK\nb\n3\n\nc\n1\n\n1\nc\n1\n$/,
    );
    expect((await client.get('a'))?.valueText).toBe('two words\x01');
    const failed = await rollcall('txn', 'value("a") = "x"\n\n\nget a\nput z "\\xff"\n\n');
    expect(failed).toMatch(/^revision \d+\nFAILURE\n\na\n"two words\\u0001"\n\nOK\n$/);
    expect((await client.get('z'))?.value).toEqual(Uint8Array.of(0xff));
    expect(await rollcall('txn', '')).toMatch(/^revision \d+\nSUCCESS\n$/);
  });

  test('reads JSON, and prints it', async () => {
    const txn = {
      compare: [
        { target: 'mod', key: 'a', fromKey: true, operator: '>', number: 0 },
        { target: 'value', keyBase64: 'YQ==', operator: '=', value: '2' },
        { target: 'lease', key: 'a', rangeEnd: 'c', operator: '=', leaseId: null },
      ],
      success: [
        { type: 'put', key: 'a', valueBase64: '/w==', previous: true },
        {
          type: 'txn',
          compare: [{ target: 'version', key: 'a', operator: '<', number: 0 }],
          failure: [
            { type: 'get', key: '', prefix: true, sortBy: 'value', order: 'descend', limit: 1 },
            { type: 'delete', key: 'b', rangeEnd: 'd' },
          ],
        },
      ],
    };
    const answer = JSON.parse(await rollcall('txn --json', JSON.stringify(txn)));
    expect(answer).toMatchObject({
      revision: client.revision + 1,
      succeeded: true,
      results: [
        { type: 'put', previous: { key: 'a', value: '2' } },
        {
          succeeded: false,
          results: [
            { type: 'get', pairs: [{ key: 'a', valueBase64: '/w==' }], count: 3, more: true },
            { type: 'delete', deleted: 2, previous: [] },
          ],
        },
      ],
    });
  });
});

describe('txn that makes no sense', () => {
  test.each([
    ['mod("a") >= "0"', 'A compare is like mod("key") > "0", with = != < or >, and not: mod'],
    ['size("a") > "0"', 'A compare is of mod, create, version, value or lease: size'],
    ['mod("a") > "-1"', 'It is compared with a whole number: mod("a") > "-1"'],
    ['mod("") > "1"', 'An empty KEY means every key with --prefix or --from-key only'],
    ['mod("\\q") > "1"', 'An escape is unknown in: "\\q"'],
    ['lease("a") = "7"', 'A lease id is 16 hexadecimal digits, as `lease grant` prints it. "0"'],
    ['\nput a', 'A put has either a VALUE or --ignore-value, in: put a'],
    ['\nput a b --frob', `unknown option '--frob', in: put a b --frob`],
    ['\nput "a', 'A quote is not closed in: put "a'],
    ['\nwatch a', 'An operation is put, get or del: watch a'],
    ['\nget a --sort-by color', `option '--sort-by <target>' argument 'color' is invalid`],
    ['\nget a\n\nget b\n\nget c', 'There are more than three sections'],
    ['{"compare": [', 'The transaction is not JSON'],
    ['{"then": []}', 'then is not known here'],
    ['{"success": {}}', 'success must be an array'],
    ['{"success": [1]}', 'success[0] must be an object'],
    ['{"success": [{"type": "drop"}]}', 'success[0].type must be one of put, get, delete, txn'],
    ['{"success": [{"type": "put", "key": "a"}]}', 'success[0].value is missing'],
    ['{"success": [{"type": "get", "key": ""}]}', 'success[0] An empty KEY'],
    [
      '{"compare": [{"target": "mod", "key": "a", "operator": "=", "number": 1e16}]}',
      'compare[0].number must be a whole number from 0',
    ],
    ['{"compare": [{"target": "toString", "key": "a"}]}', 'compare[0].target must be one of'],
    ['{"success": [{"type": "put", "keyBase64": "?", "value": ""}]}', 'keyBase64 must be base64'],
  ])('says what is wrong with %j', async (text, message) => {
    const printed = await rollcall('txn', text);
    expect(printed).toMatch(/^2 error: usage: /);
    expect(printed).toContain(message);
  });

  test('refuses bombs', async () => {
    const deep = `${'{"success":[{"type":"txn",'.repeat(1)}${'"success":[{"type":"txn",'.repeat(50_000)}`;
    expect(await rollcall('txn', `${deep}"success":[]${'}]'.repeat(50_001)}}`)).toMatch(
      /^1 error: tooManyOperations: /,
    );
    const puts = Array.from({ length: 129 }, (_, at) => `put k${at} v`).join('\n');
    expect(await rollcall('txn', `\n${puts}`)).toMatch(/^1 error: tooManyOperations: /);
    expect(await rollcall('txn', '\nput a 1\nput a 2')).toMatch(/^1 error: duplicateKey: /);
  });
});
