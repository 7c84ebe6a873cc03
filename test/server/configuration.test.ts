import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { formatAddress, isLoopback, parseAddress } from '../../src/base/address.ts';
import {
  checkConfiguration,
  parseCluster,
  type ServerOptions,
} from '../../src/server/configuration.ts';
import { version } from '../../src/server/version.ts';

const sound: ServerOptions = {
  name: 'n1',
  dataDirectory: '/data',
  clientListen: '127.0.0.1:4640',
  peerListen: '127.0.0.1:4641',
  initialCluster: 'n2=127.0.0.1:4651,n1=127.0.0.1:4641',
};

const refused: readonly [string, Partial<ServerOptions>, string, RegExp][] = [
  ['a bad name', { name: 'N1' }, 'invalidArgument', /name/],
  ['a long name', { name: 'n'.repeat(129) }, 'invalidArgument', /name/],
  ['no directory', { dataDirectory: '' }, 'invalidArgument', /directory/],
  ['no port', { clientListen: '127.0.0.1' }, 'invalidArgument', /HOST:PORT/],
  ['a port too large', { peerListen: '127.0.0.1:65536' }, 'invalidArgument', /HOST:PORT/],
  ['one port for both', { peerListen: '127.0.0.1:4640' }, 'invalidArgument', /port of their own/],
  ['every address', { clientListen: '0.0.0.0:4640' }, 'insecureAddress', /--insecure/],
  ['a public client address', { clientListen: '192.0.2.1:4640' }, 'insecureAddress', /--insecure/],
  ['a public peer address', { peerListen: '[2001:db8::1]:4641' }, 'insecureAddress', /--insecure/],
  [
    'every address and no name for it',
    { clientListen: '[::]:4640', insecure: true },
    'invalidArgument',
    /--client-address/,
  ],
  ['port 0 for clients to use', { clientAddress: 'h:0' }, 'invalidArgument', /port 0/],
  ['a list without itself', { initialCluster: 'n2=127.0.0.1:1' }, 'invalidArgument', /"n1" itself/],
  ['a name twice', { initialCluster: 'n1=h:1,n1=h:2' }, 'invalidArgument', /n1 twice/],
  ['an address twice', { initialCluster: 'n1=h:1,n2=h:1' }, 'invalidArgument', /h:1 twice/],
  ['a line without an address', { initialCluster: 'n1' }, 'invalidArgument', /HOST:PORT/],
  ['a line with two', { initialCluster: 'n1=h:1=h:2' }, 'invalidArgument', /NAME=HOST:PORT/],
  ['an empty list', { initialCluster: '' }, 'invalidArgument', /NAME=HOST:PORT/],
  ['a host that is no host', { initialCluster: 'n1=1.2.3.4.5:1' }, 'invalidArgument', /dialed/],
  ['a list and a cluster to join', { join: 'h:1' }, 'invalidArgument', /not both/],
  ['nobody to join', { initialCluster: undefined, join: '' }, 'invalidArgument', /HOST:PORT/],
  ['port 0 to join', { initialCluster: undefined, join: 'h:0' }, 'invalidArgument', /port 0/],
  ['two peer addresses', { peerAddress: 'h:1' }, 'invalidArgument', /not h:1/],
  ['an unknown log level', { logLevel: 'loud' }, 'invalidArgument', /log level/],
];

const mebi = 1024 * 1024;

describe('the configuration', () => {
  test('keeps as much log as it is told, and no nonsense', () => {
    const retention = (more: object) => checkConfiguration({ ...sound, ...more }).retention;
    expect(retention({ logWindowMib: 2, logRetainedMib: 3 })).toEqual({
      logWindowBytes: 2 * mebi,
      logRetainedBytesMax: 3 * mebi,
    });
    expect(retention({ logWindowMib: 5000 }).logRetainedBytesMax).toBe(5000 * mebi);
    expect(() => retention({ logWindowMib: 0 })).toThrow('not a number from 1 on');
    expect(() => retention({ logWindowMib: 2, logRetainedMib: 1 })).toThrow('less than the window');
  });

  test('says how much of a disk is kept free', () => {
    const reserve = (diskReserveMib: number): number =>
      checkConfiguration({ ...sound, diskReserveMib }).diskReserveBytes;
    expect(reserve(7)).toBe(7 * mebi);
    for (const bad of [0, -1, 1.5, Number.NaN]) expect(() => reserve(bad)).toThrow('reserve');
  });

  test('is taken as it was meant', () => {
    expect(checkConfiguration(sound)).toEqual({
      name: 'n1',
      dataDirectory: '/data',
      clientListen: '127.0.0.1:4640',
      clientAddress: null,
      peerListen: '127.0.0.1:4641',
      peerAddress: '127.0.0.1:4641',
      initialCluster: [
        { name: 'n1', peerAddress: '127.0.0.1:4641' },
        { name: 'n2', peerAddress: '127.0.0.1:4651' },
      ],
      join: [],
      allowedHosts: ['127.0.0.1'],
      logLevel: 'info',
      retention: { logWindowBytes: 128 * mebi, logRetainedBytesMax: 1024 * mebi },
      diskReserveBytes: 64 * mebi,
      quotaBytes: 4096 * mebi,
      history: { historyAgeMs: 3_600_000, historyRevisions: 1_000_000 },
      featureLevelMax: 2,
      debug: false,
    });
  });

  test('without a list means a cluster of one', () => {
    const { initialCluster } = checkConfiguration({ ...sound, initialCluster: undefined });
    expect(initialCluster).toEqual([{ name: 'n1', peerAddress: '127.0.0.1:4641' }]);
  });

  test('may name members of a cluster to join instead', () => {
    const { initialCluster: _, ...alone } = sound;
    expect(checkConfiguration({ ...alone, join: 'h:1, h:2,h:1' })).toMatchObject({
      peerAddress: '127.0.0.1:4641',
      initialCluster: [],
      join: ['h:1', 'h:2'],
    });
    const everywhere = { ...alone, peerListen: '0.0.0.0:4641', insecure: true, join: 'h:1' };
    expect(checkConfiguration({ ...everywhere, peerAddress: 'me:9' }).peerAddress).toBe('me:9');
    expect(() => checkConfiguration(everywhere)).toThrow(/--peer-address/);
  });

  test.each(refused)('refuses %s', (_name, changes, code, message) => {
    expect(() => checkConfiguration({ ...sound, ...changes })).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test('allows what others can reach only when it is told to', () => {
    const open = { ...sound, clientListen: '0.0.0.0:4640', clientAddress: 'rc.example:4640' };
    const { clientAddress, allowedHosts } = checkConfiguration({
      ...open,
      insecure: true,
      allowedHosts: 'a.example, b.example',
    });
    expect(clientAddress).toBe('rc.example:4640');
    expect(allowedHosts).toEqual(['0.0.0.0', 'rc.example', 'a.example', 'b.example']);
  });

  test('takes nine members and not ten', () => {
    const lines = Array.from({ length: 10 }, (_, at) => `n${at}=h:${at + 1}`);
    expect(parseCluster(lines.slice(0, 9).join(','))).toHaveLength(9);
    expect(() => parseCluster(lines.join(','))).toThrow(/at most 9/);
  });
});

test('says how much is stored and kept at most', () => {
  const quota = (quotaMib: number) => checkConfiguration({ ...sound, quotaMib }).quotaBytes;
  expect(quota(5)).toBe(5 * mebi);
  for (const bad of [0, -1, 1.5]) expect(() => quota(bad)).toThrow('quota');
  const history = (historyAge: number, historyRevisions: number) =>
    checkConfiguration({ ...sound, historyAge, historyRevisions }).history;
  expect(history(0, 0)).toEqual({ historyAgeMs: 0, historyRevisions: 0 });
  expect(history(5000, 7)).toEqual({ historyAgeMs: 5000, historyRevisions: 7 });
  expect(() => history(-1, 0)).toThrow('age of the history');
  expect(() => history(0, 0.5)).toThrow('number of revisions of the history');
});

test('holds the node at an older feature level, and never at one that it does not know', () => {
  const level = (featureLevelMax: number): number =>
    checkConfiguration({ ...sound, featureLevelMax }).featureLevelMax;
  expect([level(1), level(2)]).toEqual([1, 2]);
  for (const bad of [0, 3, 1.5, Number.NaN]) expect(() => level(bad)).toThrow('levels 1 to 2');
});

describe('an address', () => {
  test.each(['127.0.0.1:0', 'localhost:4640', '[::1]:65535', 'a-b.c_d:1'])('%s is one', (text) => {
    expect(formatAddress(parseAddress(text))).toBe(text);
  });

  test.each([
    '',
    ':1',
    'h:',
    'h:x',
    'h:1:2',
    '::1:4640',
    '[::1]',
    '[zz]:1',
    'h h:1',
    'h:123456',
    'h/x:1',
  ])('"%s" is none', (text) => {
    expect(() => parseAddress(text)).toThrow(/HOST:PORT/);
  });

  test.each([
    'localhost',
    'LOCALHOST',
    'x.localhost',
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '::ffff:127.0.0.1',
  ])('%s is loopback', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  test.each(['0.0.0.0', '::', '128.0.0.1', 'localhost.example', '127.0.0.1.example', '1127.0.0.1'])(
    '%s is not loopback',
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});

test("the version is the package's", async () => {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  expect((JSON.parse(text) as { version: string }).version).toBe(version);
});
