/** Values and keys of any bytes: in from files and standard input, out without a doubt. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { limits } from '../../src/base/limits.ts';
import { main } from '../../src/cli/program.ts';
import { operation } from '../../src/client/index.ts';
import { PeerCluster } from '../client/peer.ts';
import { FakeTerminal } from './fake-terminal.ts';

let cluster: PeerCluster;
let scratch: string;

beforeEach(async () => {
  cluster = await PeerCluster.start(1);
  scratch = await mkdtemp(join(tmpdir(), 'rollcall-values-'));
});

afterEach(async () => {
  await cluster.stop();
  await rm(scratch, { recursive: true });
});

async function rollcall(args: readonly string[], input: readonly Uint8Array[] = []) {
  const terminal = new FakeTerminal(cluster.endpoints);
  terminal.input = input;
  const code = await main(args, terminal);
  return { code, printed: terminal.printed, warned: terminal.warned, terminal };
}

const bytes = Uint8Array.of(0xff, 0x00, 0x0a, 0x22);

function store(key: string, value: Uint8Array | string): void {
  const parameters = { key, value: Buffer.from(value), leaseId: null, previous: false };
  cluster.store.put(parameters);
}

describe('put', () => {
  test('takes the value from standard input, byte by byte', async () => {
    const input = [bytes.subarray(0, 1), bytes.subarray(1)];
    expect(await rollcall(['put', 'k', '-'], input)).toMatchObject({ code: 0 });
    const { terminal } = await rollcall(['get', '--raw', 'k']);
    expect([...terminal.printedBytes]).toEqual([...bytes]);
    expect(await rollcall(['put', 'k', '-'])).toMatchObject({ code: 0 });
    expect(await rollcall(['get', '--raw', 'k'])).toMatchObject({ code: 0, printed: '' });
  });

  test('takes the value from a file', async () => {
    const file = join(scratch, 'value');
    await writeFile(file, bytes);
    expect(await rollcall(['put', 'k', '--file', file])).toMatchObject({ code: 0 });
    const { terminal } = await rollcall(['get', '--raw', 'k']);
    expect([...terminal.printedBytes]).toEqual([...bytes]);
    const missing = await rollcall(['put', 'k', '--file', join(scratch, 'none')]);
    expect(missing).toMatchObject({ code: 2 });
    expect(missing.warned).toMatch(/^error: usage: --file cannot be read: ENOENT/);
    expect(await rollcall(['put', 'k', 'v', '--file', file])).toMatchObject({ code: 2 });
  });

  test('reads no more than a value can hold', async () => {
    const half = new Uint8Array(limits.valueBytesMax / 2);
    const fits = await rollcall(['put', 'k', '-'], [half, half]);
    expect(fits).toMatchObject({ code: 0, warned: '' });
    const large = await rollcall(['put', 'k', '-'], [half, half, Uint8Array.of(1), half]);
    expect(large).toMatchObject({ code: 1 });
    expect(large.warned).toMatch(/^error: valueTooLarge: The value has more than 1032192 bytes/);
  });
});

describe('get --prefix', () => {
  test('has one line for each key and value, whatever they hold', async () => {
    store('p/1', 'plain "text" {}');
    store('p/2', 'two\nlines');
    store('p/3', '"quoted"');
    store('p/4', '{"base64":"no"}');
    store('p/5', bytes);
    store('p/6', '');
    store('p/7', '\u001b[2J\u009b\u202e');
    store('p/\n', '{"a":1}');
    const { printed } = await rollcall(['get', '--prefix', 'p/']);
    expect(printed.split('\n')).toEqual([
      '"p/\\n"',
      '{"a":1}',
      'p/1',
      'plain "text" {}',
      'p/2',
      '"two\\nlines"',
      'p/3',
      '"\\"quoted\\""',
      'p/4',
      '"{\\"base64\\":\\"no\\"}"',
      'p/5',
      '{"base64":"/wAKIg=="}',
      'p/6',
      '',
      'p/7',
      '"\\u001b[2J\\u009b\\u202e"',
      '',
    ]);
  });

  test('cannot be raw, and neither can JSON', async () => {
    for (const option of ['--prefix', '--json']) {
      expect(await rollcall(['get', '--raw', option, 'k'])).toMatchObject({ code: 2 });
    }
  });
});

describe('del --prefix --chunked', () => {
  /** All in one revision: the store here counts nothing. */
  function fill(prefix: string, count: number): void {
    const success = Array.from({ length: count }, (_, at) => {
      const key = prefix + String(at).padStart(5, '0');
      return operation.put(key, '');
    });
    cluster.store.txn({ compares: [], success, failure: [] });
  }

  test('deletes all keys of the prefix in steps, and no others', async () => {
    fill('a/', 5000);
    fill('b/', 5);
    store('a', 'before');
    const deleted = await rollcall(['del', '--prefix', '--chunked', 'a/']);
    expect(deleted).toMatchObject({ code: 0, printed: '5000\n' });
    expect(deleted.warned).toBe(
      'rollcall: 2048 keys deleted so far\nrollcall: 4096 keys deleted so far\n',
    );
    expect([...cluster.store.pairsAt(cluster.store.revision).keys()]).toEqual([
      ...['b/00000', 'b/00001', 'b/00002', 'b/00003', 'b/00004'],
      'a',
    ]);
    const all = await rollcall(['del', '--prefix', '--chunked', '', '--json']);
    expect(all.terminal.documents).toMatchObject([{ deleted: 6 }]);
    expect(await rollcall(['del', '--prefix', '--chunked', ''])).toMatchObject({ printed: '0\n' });
    expect(await rollcall(['del', '--chunked', 'a'])).toMatchObject({ code: 2 });
  });

  test('says how far it came when a step fails', async () => {
    fill('a/', 5000);
    cluster.node(0).fail('delete', 'drop');
    const first = await rollcall(['del', '--prefix', '--chunked', 'a/']);
    expect(first.warned).toMatch(/^error: connectionLost: .*; 0 keys were deleted before\nIt may/);
    cluster.node(0).fail('delete', new RollcallError('internal', 'Once'));
    expect((await rollcall(['del', 'a', '--json'])).warned).toBe(
      '{"error":{"code":"internal","message":"The node failed; its log says more","definite":false}}\n',
    );
  });
});
