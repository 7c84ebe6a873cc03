import { describe, expect, test } from 'vitest';
import {
  collectPairs,
  parseAddress,
  parseAddresses,
  parseLeaseId,
  parseListen,
  parseName,
  parseRevision,
} from '../../src/cli/argument.ts';
import { formatDuration, parseDuration } from '../../src/cli/duration.ts';
import { textOrBase64 } from '../../src/cli/json.ts';
import { renderTable } from '../../src/cli/table.ts';

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1.5s', 1500],
    ['0s', 0],
  ])('%s is %i ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  test('a bare number is refused and says what to write', () => {
    expect(() => parseDuration('10')).toThrow('It has no unit; write 10ms, 10s, 10m or 10h.');
  });

  test.each(['', 's', '-1s', '1 s', '10d', '1s2m', '0.5ms', '1e3s', '10toString'])(
    '%j is refused',
    (text) => {
      expect(() => parseDuration(text)).toThrow();
    },
  );

  test.each([
    [10_000, '10s'],
    [1500, '1500ms'],
    [90_000, '90s'],
    [120_000, '2m'],
    [7_200_000, '2h'],
    [0, '0ms'],
    [12.4, '12ms'],
  ])('%i ms is written %s', (durationMs, expected) => {
    expect(formatDuration(durationMs)).toBe(expected);
  });
});

describe('arguments', () => {
  test('lease ids are 16 hexadecimal digits, not all 0', () => {
    expect(parseLeaseId('00000000000000ff')).toBe('00000000000000ff');
    for (const bad of ['ff', '0000000000000000', '00000000000000FF', '00000000000000fg']) {
      expect(() => parseLeaseId(bad)).toThrow();
    }
  });

  test('revisions are whole and begin at 1', () => {
    expect(parseRevision('12')).toBe(12);
    for (const bad of ['0', '-1', '1.5', 'x', '', '99999999999999999999']) {
      expect(() => parseRevision(bad)).toThrow();
    }
  });

  test('addresses have a host and a port', () => {
    for (const good of ['127.0.0.1:4640', 'a.example:1', '[::1]:65535']) {
      expect(parseAddress(good)).toBe(good);
    }
    for (const bad of ['a', 'a:', ':1', 'a:0', 'a:65536', '::1:80', 'http://a:1', 'a b:1']) {
      expect(() => parseAddress(bad)).toThrow();
    }
    expect(parseAddresses('a:1, b:2')).toEqual(['a:1', 'b:2']);
    expect(parseListen('127.0.0.1:0')).toBe('127.0.0.1:0');
    expect(() => parseListen('127.0.0.1')).toThrow();
  });

  test('names are lower-case words', () => {
    expect(parseName('api.v1-x_2')).toBe('api.v1-x_2');
    for (const bad of ['', 'API', '-a', 'a/b']) expect(() => parseName(bad)).toThrow();
  });

  test('pairs are gathered and may hold an equals sign', () => {
    expect(collectPairs('b=2=3', { a: '1' })).toEqual({ a: '1', b: '2=3' });
    expect(collectPairs('a=', undefined)).toEqual({ a: '' });
    for (const bad of ['a', '=1', '']) expect(() => collectPairs(bad, undefined)).toThrow();
  });
});

describe('output', () => {
  test('tables are aligned, numbers to the right, without trailing blanks', () => {
    const table = renderTable(
      [{ title: 'name' }, { title: 'count', numeric: true }, { title: 'note' }],
      [
        ['a', '1', 'x'],
        ['grün', '1000', ''],
      ],
    );
    expect(table).toBe('NAME  COUNT  NOTE\na         1  x\ngrün   1000  -\n');
    expect(renderTable([{ title: 'id' }], [])).toBe('ID\n');
  });

  test('tables are aligned by the columns of a terminal', () => {
    const cells = ['日本語', 'e\u0301', '👩‍👩‍👧', '❤️', 'ｱ', '한'];
    const table = renderTable(
      [{ title: 'a' }, { title: 'b' }],
      cells.map((cell) => [cell, 'x']),
    );
    expect(table).toBe(
      'A       B\n日本語  x\ne\u0301       x\n👩‍👩‍👧      x\n❤️      x\nｱ       x\n한      x\n',
    );
  });

  test('bytes that are not UTF-8 are written in base64 under another name', () => {
    expect(textOrBase64('key', Uint8Array.of(0xc3, 0xa9))).toEqual({ key: 'é' });
    expect(textOrBase64('key', Uint8Array.of(0xff))).toEqual({ keyBase64: '/w==' });
  });
});
