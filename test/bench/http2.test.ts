import { describe, expect, test } from 'vitest';
import { allOf, firstOf, messageOf, prefixBytes } from '../../bench/drivers/grpc.ts';
import { requestMessage } from '../../bench/drivers/http2.ts';

describe('Messages to etcd', () => {
  test('carry their length before them', () => {
    const message = requestMessage('put', 7, new Uint8Array(256));
    expect(message[0]).toBe(0);
    expect(message.readUInt32BE(1)).toBe(message.length - prefixBytes);
  });

  test('hold key and value of a put, the key alone of a get', () => {
    const value = new Uint8Array(300).fill(9);
    const put = requestMessage('put', 7, value).subarray(prefixBytes);
    expect(Buffer.from(firstOf(put, 1) ?? []).toString()).toBe('bench/keys/item-0007');
    expect(firstOf(put, 2)).toEqual(Buffer.from(value));
    const get = requestMessage('get', 7, value).subarray(prefixBytes);
    expect(firstOf(get, 2)).toBeNull();
  });

  test('are read past numbers, to the field that is asked for', () => {
    // {1: 300, 2: "ab", 3: "c"}
    const message = Uint8Array.of(0x08, 0xac, 0x02, 0x12, 2, 0x61, 0x62, 0x1a, 1, 0x63);
    expect(firstOf(message, 2)).toEqual(Uint8Array.of(0x61, 0x62));
    expect(firstOf(message, 3)).toEqual(Uint8Array.of(0x63));
    expect(firstOf(message, 1)).toBeNull();
  });

  test('are read back as they were written, repeated fields in their order', () => {
    const message = messageOf([1, 'k'], [3, 1000], [2, 'first'], [2, 'second']);
    const values = [...allOf(message.subarray(prefixBytes), 2)];
    expect(values.map((value) => Buffer.from(value).toString())).toEqual(['first', 'second']);
  });
});
