import { expect, test } from 'vitest';
import { StateCheck } from '../../src/state-machine/state-check.ts';
import { filled } from './filled.ts';
import { TestMachine } from './machine.ts';

type Stored = [key: string, bytes: Uint8Array];

function headerOf({ machine }: TestMachine): Parameters<StateCheck['finish']>[0] {
  const { appliedIndex, featureLevel, revision, logTimeMs, wallTimeMs, compactRevisions, digest } =
    machine;
  return {
    applied: { index: appliedIndex },
    ...{ featureLevel, revision, logTimeMs, wallTimeMs, compactRevisions, digest },
    ...{ removedRevisions: machine.removedRevisions, timeMarks: machine.timeMarks },
  };
}

function check(records: readonly Stored[], header: ReturnType<typeof headerOf>): unknown {
  const stateCheck = new StateCheck();
  for (const [key, bytes] of records) stateCheck.take(key, bytes);
  return stateCheck.finish(header);
}

const machine = filled();
const header = headerOf(machine);
const records = machine.records.page('', '\xff');

test('a whole state is whole', () => {
  expect(check(records, header)).toEqual({ keys: 1, instances: 1, leases: 1 });
  expect(check([], headerOf(new TestMachine()))).toEqual({ keys: 0, instances: 0, leases: 0 });
});

test('each record that is missing or changed is noticed', () => {
  for (const at of records.keys()) {
    expect(() => check(records.toSpliced(at, 1), header)).toThrow(/missing|not those|digest|order/);
    const [key, bytes] = records[at] as Stored;
    for (const position of bytes.keys()) {
      const changed = Uint8Array.from(bytes);
      changed[position] = (changed[position] as number) ^ 1;
      expect(() => check(records.with(at, [key, changed]), header)).toThrow();
    }
  }
});

test('a value that nothing speaks of is noticed', () => {
  const last = records.at(-1) as Stored;
  const [key, bytes] = last;
  const next = key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) + 1);
  expect(() => check([...records, [next, bytes]], header)).toThrow('not those of the index');
});

test('a revision beyond the header is noticed', () => {
  expect(() => check(records, { ...header, revision: header.revision - 1 })).toThrow('newer');
});
