import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import {
  decodeRequests,
  decodeServerFrame,
  encodeHeader,
  encodeItem,
  encodeRequest,
  joinRequests,
  joinServerFrame,
} from '../../src/wire/frame.ts';
import { type Method, methods } from '../../src/wire/methods.ts';

const request = fc
  .record({
    id: fc.integer({ min: 1, max: 0xffffffff }),
    method: fc.constantFrom(...(Object.keys(methods) as Method[])),
    params: fc.dictionary(fc.string({ maxLength: 12 }), fc.anything({ maxDepth: 3 })),
  })
  .map(({ id, method, params }) => {
    const plain = JSON.parse(JSON.stringify(params)) as Record<string, unknown>;
    return encodeRequest(id, method, { key: 'k', value: new Uint8Array(3), ...plain });
  });
const requestFrame = fc.array(request, { maxLength: 5 }).map(joinRequests);
const serverFrame = fc
  .array(fc.tuple(fc.nat(), fc.constantFrom(0, 1, 2), fc.jsonValue()), { maxLength: 5 })
  .map((items) =>
    joinServerFrame(
      encodeHeader({ clusterId: 'a', incarnation: 'b', memberId: 'c', term: 1 }),
      items.map(([id, kind, body]) => encodeItem(id, kind as 0 | 1 | 2, body)),
    ),
  );

const mutation = fc.record({
  at: fc.nat(),
  byte: fc.constantFrom(
    0x80,
    0x8f,
    0x91,
    0xc1,
    0xc6,
    0xc7,
    0xc9,
    0xd4,
    0xd8,
    0xdb,
    0xdd,
    0xdf,
    0xff,
  ),
  cut: fc.boolean(),
});

function mutate(
  frame: Uint8Array,
  changes: readonly { readonly at: number; readonly byte: number; readonly cut: boolean }[],
): Uint8Array {
  let bytes = Uint8Array.from(frame);
  for (const { at, byte, cut } of changes) {
    if (bytes.length === 0) break;
    if (cut) bytes = bytes.slice(0, at % (bytes.length + 1));
    else bytes[at % bytes.length] = byte;
  }
  return bytes;
}

/** Runs the decoder and, for what it lets through, every schema. Only coded errors may come out. */
function survives(bytes: Uint8Array): void {
  for (const decode of [decodeServerFrame, decodeAndCheck]) {
    try {
      decode(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(RollcallError);
    }
  }
}

function decodeAndCheck(bytes: Uint8Array): void {
  for (const { params } of decodeRequests(bytes)) {
    for (const schema of Object.values(methods)) {
      try {
        schema(params, '');
      } catch (error) {
        expect(error).toBeInstanceOf(RollcallError);
      }
    }
  }
}

describe('hostile frames', () => {
  test('random bytes throw nothing but coded errors', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), survives), { numRuns: 5000 });
  });

  test('mutated frames throw nothing but coded errors', () => {
    const changes = fc.array(mutation, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.oneof(requestFrame, serverFrame), changes, (frame, list) => {
        survives(mutate(frame, list));
      }),
      { numRuns: 3000 },
    );
  });

  test('unchanged frames decode', () => {
    fc.assert(
      fc.property(requestFrame, serverFrame, (asked, answered) => {
        decodeRequests(asked);
        decodeServerFrame(answered);
      }),
      { numRuns: 500 },
    );
  });
});
