import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { binaryFromBytes } from '../../src/base/bytes.ts';
import { RollcallError } from '../../src/base/errors.ts';
import {
  type BackupHeader,
  type BackupPart,
  BackupReader,
  BackupWriter,
} from '../../src/storage/backup-file.ts';
import type { StoredRecord } from '../../src/storage/types.ts';
import { configuration } from './machine.ts';

const header: BackupHeader = {
  savedAtMs: 1_700_000_000_000,
  savedFrom: 'n1',
  state: {
    applied: { term: 3, index: 20 },
    configuration,
    clusterId: '00000000000000c1',
    incarnation: '00000000000000e1',
    featureLevel: 1,
    revision: 17,
    logTimeMs: 5000,
    wallTimeMs: 1_699_999_999_000,
    compactRevisions: [0, 0],
    removedRevisions: [0, 0],
    timeMarks: [],
    digest: { high: 0x12345678, low: 0x9abcdef0 },
  },
};

function framesOf(pages: readonly (readonly StoredRecord[])[]): Uint8Array[] {
  const writer = new BackupWriter(header);
  return [writer.header(), ...pages.map((page) => writer.records(page)), writer.end()];
}

function parse(pieces: readonly Uint8Array[]): BackupPart[] {
  const reader = new BackupReader('it');
  const parts = pieces.flatMap((piece) => [...reader.push(piece)]);
  reader.finish();
  return parts;
}

function record(key: string, ...bytes: number[]): StoredRecord {
  return [key, Uint8Array.from(bytes)];
}

const small = [[record('a', 1, 2), record('b')], [], [record('ba', 3)]];

/** Distinct records in order, on pages. */
const pages = fc
  .uniqueArray(
    fc.tuple(
      fc.uint8Array({ minLength: 1, maxLength: 6 }).map(binaryFromBytes),
      fc.uint8Array({ maxLength: 40 }),
    ),
    { selector: ([key]) => key, maxLength: 20 },
  )
  .map((records) => records.sort(([left], [right]) => (left < right ? -1 : 1)))
  .chain((records) =>
    fc.array(fc.nat(records.length), { maxLength: 4 }).map((cuts) => {
      const places = [0, ...cuts.sort((left, right) => left - right), records.length];
      return places.slice(1).map((end, at) => records.slice(places[at], end));
    }),
  );

test('what was written is read, however its bytes come', () => {
  fc.assert(
    fc.property(pages, fc.integer({ min: 1, max: 64 }), (written, pieceLength) => {
      const file = Buffer.concat(framesOf(written));
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < file.length; at += pieceLength) {
        pieces.push(file.subarray(at, at + pieceLength));
      }
      const parts = parse(pieces);
      expect(parts[0]).toEqual({ type: 'header', header });
      const read = parts.flatMap((part) => (part.type === 'records' ? part.records : []));
      expect(read.map(([key, bytes]) => [key, [...bytes]])).toEqual(
        written.flat().map(([key, bytes]) => [key, [...bytes]]),
      );
      expect(parts.at(-1)).toMatchObject({
        type: 'end',
        end: { recordCount: written.flat().length, digest: header.state.digest },
      });
    }),
  );
});

describe('damage', () => {
  const file = Buffer.concat(framesOf(small));

  function complaint(pieces: readonly Uint8Array[]): RollcallError {
    try {
      parse(pieces);
    } catch (error) {
      if (error instanceof RollcallError) return error;
      throw error;
    }
    throw new Error('Nothing was noticed');
  }

  test('any bit that flips is noticed', () => {
    for (let bit = 0; bit < file.length * 8; bit++) {
      const damaged = Uint8Array.from(file);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(complaint([damaged]).code).toMatch(/^(dataDamaged|formatTooNew)$/);
    }
  });

  test('a file that ends early is noticed, and one that goes on', () => {
    for (let length = 0; length < file.length; length++) {
      expect(complaint([file.subarray(0, length)]).message).toMatch(
        `it is damaged at byte ${length}: it is cut short`,
      );
    }
    expect(complaint([file, Uint8Array.of(1)]).message).toMatch(
      `it is damaged at byte ${file.length}: something follows its end`,
    );
  });

  test('frames that are missing, twice there or of another file are noticed', () => {
    const [head, first, empty, second, end] = framesOf(small) as Uint8Array[] as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const [, other] = framesOf([[record('a', 9)]]) as [Uint8Array, Uint8Array];
    const position = head.length;
    for (const pieces of [
      [head, empty, second, end],
      [head, first, second, end],
      [head, second, first, end],
      [head, first, first, second, end],
      [head, other, empty, second, end],
      [head, end],
    ]) {
      const { code, message } = complaint(pieces);
      expect(code).toBe('dataDamaged');
      const place = Number(/at byte (\d+)/.exec(message)?.[1]);
      expect(place).toBeGreaterThanOrEqual(position);
    }
  });

  test('records out of order are noticed, whatever their checksum', () => {
    const writer = new BackupWriter(header);
    const pieces = [writer.header(), writer.records([record('b')]), writer.records([record('a')])];
    expect(complaint(pieces).message).toMatch('its records are not in order');
  });

  test('another file is called that', () => {
    expect(complaint([Buffer.from('SQLite format 3')]).message).toBe(
      'it is damaged at byte 0: it is no backup of Rollcall',
    );
    expect(complaint([Buffer.from('rollcall\u0009')])).toMatchObject({ code: 'formatTooNew' });
  });
});
