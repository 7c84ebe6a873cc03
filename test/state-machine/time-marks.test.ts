import { expect, test } from 'vitest';
import { TestMachine } from './machine.ts';

test('what a checkpoint was told of the times stays as it was while more is applied', () => {
  const tested = new TestMachine();
  tested.run({ type: 'raiseFeatureLevel', level: 2 }, 1000);
  const marks = tested.machine.timeMarks;
  const before = [...marks];
  const put = { type: 'put', key: 'a', value: new Uint8Array(), leaseId: null } as const;
  tested.run({ ...put, previous: false, ignoreValue: false, ignoreLease: false }, 5000);
  expect(tested.machine.timeMarks).toHaveLength(before.length + 1);
  expect(marks).toEqual(before);
});
