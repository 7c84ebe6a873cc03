import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageProgress } from '../../src/server/message-progress.ts';

interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly masked: boolean;
  readonly length: number;
}

function bytesOf({ opcode, fin, masked, length }: Frame): Buffer {
  const head = [(fin ? 0x80 : 0) | opcode];
  const mask = masked ? 0x80 : 0;
  if (length < 126) head.push(mask | length);
  else if (length < 65_536) head.push(mask | 126, length >> 8, length & 0xff);
  else head.push(mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff);
  if (masked) head.push(1, 2, 3, 4);
  return Buffer.concat([Buffer.from(head), Buffer.alloc(length, 0xff)]);
}

function follow(...chunks: readonly Uint8Array[]): MessageProgress {
  const progress = new MessageProgress();
  for (const chunk of chunks) progress.push(chunk);
  return progress;
}

const message: Frame = { opcode: 2, fin: true, masked: true, length: 300 };

describe('the progress of messages', () => {
  test('is midway from the first byte to the last', () => {
    const bytes = bytesOf(message);
    expect(follow()).toMatchObject({ isMidway: false, completed: 0 });
    for (let end = 1; end < bytes.length; end++) {
      expect(follow(bytes.subarray(0, end))).toMatchObject({ isMidway: true, completed: 0 });
    }
    expect(follow(bytes)).toMatchObject({ isMidway: false, completed: 1, heldBytes: 0 });
  });

  test('is not helped by pings between fragments', () => {
    const fragment = bytesOf({ ...message, fin: false });
    const ping = bytesOf({ ...message, opcode: 9, length: 4 });
    const progress = follow(fragment, ping, ping);
    expect(progress).toMatchObject({ isMidway: true, completed: 0, heldBytes: 300 });
    progress.push(bytesOf({ ...message, opcode: 0, length: 0 }));
    expect(progress).toMatchObject({ isMidway: false, completed: 1, heldBytes: 0 });
  });

  test('does not depend on how the bytes are cut', () => {
    const frame = fc.record({
      opcode: fc.constantFrom(0, 1, 2, 8, 9, 10),
      fin: fc.boolean(),
      masked: fc.boolean(),
      length: fc.oneof(fc.nat(10), fc.constantFrom(125, 126, 65_535, 65_536)),
    });
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(bytesOf));
          const ends = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
          const pieces = [...ends, bytes.length].map((end, at) =>
            bytes.subarray(ends[at - 1] ?? 0, end),
          );
          const [whole, cut] = [follow(bytes), follow(...pieces)];
          expect([cut.isMidway, cut.heldBytes, cut.completed]).toEqual([
            whole.isMidway,
            whole.heldBytes,
            whole.completed,
          ]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
