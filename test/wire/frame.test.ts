import { describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { limits } from '../../src/base/limits.ts';
import {
  decodeRequests,
  decodeServerFrame,
  encodeBody,
  encodeHeader,
  encodeItem,
  encodeRequest,
  encodeSharedItem,
  itemKinds,
  joinRequests,
  joinServerFrame,
  requestIdMax,
  serverFrameOverhead,
  sharedItemOverhead,
} from '../../src/wire/frame.ts';
import { pack } from '../../src/wire/pack.ts';

const header = {
  clusterId: '0123456789abcdef',
  incarnation: 'fedcba9876543210',
  memberId: '00000000000000a1',
  term: 7,
};

const sessionId = 'fedcba9876543210';

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'nothing thrown';
  } catch (error) {
    return error instanceof RollcallError ? error.code : `thrown: ${String(error)}`;
  }
}

describe('request frames', () => {
  test('come back as they were sent, in order', () => {
    const value = Uint8Array.from([0, 1, 255]);
    const frame = joinRequests([
      encodeRequest(1, 'put', { key: 'k\u00ff\u0000', value }),
      encodeRequest(requestIdMax, 'leaseList'),
    ]);
    const [put, list, ...rest] = decodeRequests(frame);
    expect(put).toMatchObject({ id: 1, method: 'put', params: { key: 'k\u00ff\u0000' } });
    const params = put?.params as { readonly value: Uint8Array };
    expect(Uint8Array.from(params.value)).toEqual(value);
    expect(list).toEqual({ id: requestIdMax, method: 'leaseList', params: {}, session: null });
    expect(rest).toEqual([]);
  });

  test.each([0, 1, 15, 16, 65_536 / 4])('hold %i requests', (count) => {
    const requests = Array.from({ length: count }, (_, at) => encodeRequest(at + 1, 'status'));
    expect(decodeRequests(joinRequests(requests)).map((request) => request.id)).toEqual(
      Array.from({ length: count }, (_, at) => at + 1),
    );
  });

  test('take a frame of the largest size and none above', () => {
    const fill = (length: number): Uint8Array => {
      const empty = pack([[1, 'put', new Uint8Array(100_000)]]).length - 100_000;
      return pack([[1, 'put', new Uint8Array(length - empty)]]);
    };
    expect(decodeRequests(fill(limits.clientFrameBytesMax))).toHaveLength(1);
    expect(codeOf(() => decodeRequests(fill(limits.clientFrameBytesMax + 1)))).toBe(
      'frameTooLarge',
    );
  });

  test.each<[string, unknown]>([
    ['a frame that is no array', { id: 1 }],
    ['a request that is no array', [1]],
    ['id 0', [[0, 'put', {}]]],
    ['an id above the largest', [[requestIdMax + 1, 'put', {}]]],
    ['a fractional id', [[1.5, 'put', {}]]],
    ['a text as id', [['1', 'put', {}]]],
    ['no method', [[1]]],
    ['a number as method', [[1, 2, {}]]],
    ['a fifth element', [[1, 'put', {}, [sessionId, 1, 0], 5]]],
  ])('refuse %s', (_name, frame) => {
    expect(codeOf(() => decodeRequests(pack(frame)))).toBe('malformedFrame');
  });

  test('refuse two million empty maps before they are decoded', () => {
    const bomb = new Uint8Array(limits.clientFrameBytesMax).fill(0x80);
    bomb.set([0xdd, 0, 0x1f, 0xff, 0xfb]);
    expect(codeOf(() => decodeRequests(bomb))).toBe('frameTooLarge');
  });

  test('cannot touch a prototype', () => {
    const key = [0xa9, ...Buffer.from('__proto__')];
    const frame = [0x91, 0x93, 1, 0xa3, ...Buffer.from('put'), 0x81, ...key];
    const polluting = Uint8Array.from([...frame, 0x81, 0xa5, ...Buffer.from('admin'), 0xc3]);
    const [request] = decodeRequests(polluting);
    const params = request?.params as { readonly admin?: boolean };
    expect(Object.getPrototypeOf(params)).toBe(Object.prototype);
    expect(params.admin).toBeUndefined();
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('read integers of 64 bits as numbers', () => {
    const long = [0xcf, 0, 0, 0, 1, 0, 0, 0, 0];
    const frame = Uint8Array.from([0x91, 0x93, 1, 0xa1, 109, ...long]);
    expect(decodeRequests(frame)).toEqual([{ id: 1, method: 'm', params: 2 ** 32, session: null }]);
  });
});

describe('sessions in request frames', () => {
  test('name the session under which a write is to be done once', () => {
    const session = { sessionId, sequence: 2 ** 53 - 1, acknowledgedThrough: 2 ** 53 - 2 };
    const frame = joinRequests([encodeRequest(1, 'leaseRevoke', { leaseId: sessionId }, session)]);
    expect(decodeRequests(frame)).toEqual([
      { id: 1, method: 'leaseRevoke', params: { leaseId: sessionId }, session },
    ]);
  });

  test.each<[string, unknown]>([
    ['a session that is no array', [[1, 'put', {}, 4]]],
    ['a session without an id', [[1, 'put', {}, ['1', 1, 0]]]],
    ['a session that acknowledges the write itself', [[1, 'put', {}, [sessionId, 1, 1]]]],
    ['a session with a number below 0', [[1, 'put', {}, [sessionId, 1, -1]]]],
    ['a session with more than that', [[1, 'put', {}, [sessionId, 1, 0, 0]]]],
  ])('refuse %s', (_name, frame) => {
    expect(codeOf(() => decodeRequests(pack(frame)))).toBe('malformedFrame');
  });
});

describe('server frames', () => {
  test('come back as they were sent', () => {
    const frame = joinServerFrame(encodeHeader(header), [
      encodeItem(1, itemKinds.result, { revision: 9, previous: null }),
      encodeItem(2, itemKinds.error, { code: 'notLeader', message: 'm', definite: true }),
      encodeItem(0, itemKinds.item, { name: 'a' }),
    ]);
    expect(decodeServerFrame(frame)).toEqual({
      header,
      items: [
        { id: 1, kind: 0, body: { revision: 9, previous: null } },
        { id: 2, kind: 1, body: { code: 'notLeader', message: 'm', definite: true } },
        { id: 0, kind: 2, body: { name: 'a' } },
      ],
    });
  });

  test('tell several streams the same by one item', () => {
    const ids = Array.from({ length: 300 }, (_, at) => at * 1000 + 1);
    const body = { type: 'events', revision: 7 };
    for (const some of [[5], ids.slice(0, 2), ids]) {
      const item = encodeSharedItem(some, itemKinds.item, encodeBody(body));
      const { bytes, bytesPerId } = sharedItemOverhead;
      const most = encodeBody(body).length + bytes + some.length * bytesPerId;
      expect(item.length).toBeLessThanOrEqual(most);
      const { items } = decodeServerFrame(joinServerFrame(encodeHeader(header), [item]));
      expect(items).toEqual(some.map((id) => ({ id, kind: itemKinds.item, body })));
    }
  });

  test.each([[[[1, 'x'], 2, {}]], [[[[1]], 2, {}]], [['1', 2, {}]], [[1, 3, {}]], [[1, 2, {}, 4]]])(
    'are refused with the item %j',
    (item) => {
      const frame = joinServerFrame(encodeHeader(header), [pack(item)]);
      expect(codeOf(() => decodeServerFrame(frame))).toBe('malformedFrame');
    },
  );

  test('add to their parts no more than they say', () => {
    const front = encodeHeader(header);
    for (const count of [0, 15, 16, 1000]) {
      const items = Array.from({ length: count }, () => encodeItem(1, itemKinds.result, {}));
      const inner = items.reduce((sum, item) => sum + item.length, front.length);
      const extra = joinServerFrame(front, items).length - inner;
      expect(extra).toBeLessThanOrEqual(serverFrameOverhead);
    }
  });

  test('hold a large range', () => {
    const pairs = Array.from({ length: 30_000 }, (_, at) => ({
      key: String(at),
      value: new Uint8Array(0),
      createRevision: 1,
      modRevision: 1,
      version: 1,
      leaseId: null,
    }));
    const frame = joinServerFrame(encodeHeader(header), [
      encodeItem(1, itemKinds.result, { revision: 1, pairs, count: pairs.length, more: false }),
    ]);
    expect(frame.length).toBeLessThan(limits.serverFrameBytesMax);
    expect(decodeServerFrame(frame).items).toHaveLength(1);
  });

  test.each<[string, unknown]>([
    ['a frame without items', [['a', 'b', 'c', 1]]],
    ['a third element', [['a', 'b', 'c', 1], [], []]],
    ['a header without a term', [['a', 'b', 'c'], []]],
    ['a negative term', [['a', 'b', 'c', -1], []]],
    ['a number as cluster id', [[1, 'b', 'c', 1], []]],
    ['an item without an id', [['a', 'b', 'c', 1], [[null, 0, {}]]]],
    ['an item of an unknown kind', [['a', 'b', 'c', 1], [[1, 3, {}]]]],
    ['items that are no array', [['a', 'b', 'c', 1], 5]],
  ])('refuse %s', (_name, frame) => {
    expect(codeOf(() => decodeServerFrame(pack(frame)))).toBe('malformedFrame');
  });
});
