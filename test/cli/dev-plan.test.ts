import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planNodes } from '../../src/cli/dev-plan.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

const options = { nodes: 3, port: 4640, dataDirectory: 'data' };

describe('The plan of a development cluster', () => {
  test('gives each node its ports, ten apart, and its place in the data directory', () => {
    const plans = planNodes(options);
    expect(plans.map(({ name, endpoint, peer }) => [name, endpoint, peer])).toEqual([
      ['n1', '127.0.0.1:4640', '127.0.0.1:4641'],
      ['n2', '127.0.0.1:4650', '127.0.0.1:4651'],
      ['n3', '127.0.0.1:4660', '127.0.0.1:4661'],
    ]);
    expect(plans[1]).toMatchObject({
      directory: resolve('data/n2'),
      logPath: resolve('data/n2.log'),
    });
  });

  test('tells every node the same members', () => {
    const members = planNodes(options).map(({ arguments: given }) => given.at(-1));
    expect(new Set(members)).toEqual(
      new Set(['n1=127.0.0.1:4641,n2=127.0.0.1:4651,n3=127.0.0.1:4661']),
    );
  });

  test.each([0, 2, 4, 7, 1.5, Number.NaN])('refuses %d nodes', (nodes) => {
    expect(() => planNodes({ ...options, nodes })).toThrow(UsageError);
  });

  test.each([0, 65_515, 1.5, Number.NaN])('refuses port %d for three nodes', (port) => {
    expect(() => planNodes({ ...options, port })).toThrow(UsageError);
  });

  test('uses the highest ports that fit', () => {
    expect(planNodes({ ...options, port: 65_514 }).at(-1)?.peerPort).toBe(65_535);
  });
});
