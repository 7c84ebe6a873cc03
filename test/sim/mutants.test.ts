import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mutants } from './mutants/all.ts';
import { MutantCompiler, mutated } from './mutants/compiler.ts';
import { Hunt } from './mutants/hunt.ts';
import type { Mutant } from './mutants/mutant.ts';
import { MutantTree } from './mutants/tree.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const timeout = 120_000;

test('each mutant has exactly one place in the code that ships, and changes it', () => {
  for (const mutant of mutants) {
    expect(mutant.file).toMatch(
      /^src\/(raft|storage|node|state-machine|registry|lease|mvcc|client)\//,
    );
    const source = readFileSync(join(root, mutant.file), 'utf8');
    expect(mutated(mutant, source), mutant.name).not.toBe(source);
  }
});

test('names are unique, there are 30 mutants or more, and 10 or more need two troubles at once', () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  expect(mutants.length).toBeGreaterThanOrEqual(30);
  const needTwo = mutants.filter(({ shownBy }) => shownBy.length >= 2);
  expect(needTwo.length).toBeGreaterThanOrEqual(10);
});

test('the table in the README has each mutant once, in their order', () => {
  const readme = readFileSync(join(root, 'test/sim/README.md'), 'utf8');
  const rows = [...readme.matchAll(/^\| `([a-z-]+)` +\|/gm)];
  expect(rows.map(([, name]) => name)).toEqual(mutants.map(({ name }) => name));
});

const first: Mutant = {
  name: 'first',
  file: 'src/raft/quorum.ts',
  find: 'votersOutgoing.length > 0',
  replace: 'votersOutgoing.length > 1',
  story: '',
  shownBy: [],
};

test('a place that is gone, or not the only one, is an error', () => {
  const source = `return configuration.${first.find};`;
  expect(mutated(first, source)).toBe('return configuration.votersOutgoing.length > 1;');
  expect(() => mutated(first, '')).toThrow('first: its place is found 0 times');
  expect(() => mutated(first, source + source)).toThrow('first: its place is found 2 times');
});

// The copy is made of what was built, as `npm test` does before it starts.
let tree: MutantTree;
let compiler: MutantCompiler;

beforeAll(async () => {
  tree = await MutantTree.make(root);
  compiler = new MutantCompiler(root);
}, timeout);

afterAll(async () => {
  await tree.remove();
});

test(
  'a mutant that is not a valid program is an error',
  () => {
    const invalid = { ...first, name: 'invalid', replace: 'votersOutgoing.size > 0' };
    expect(() => compiler.compile(invalid)).toThrow('invalid is not a valid program');
  },
  timeout,
);

test(
  'mutants are caught, one by what is seen at once and one by what clients were told',
  async () => {
    const options = { tree, from: 1, seeds: 20, workers: 1 };
    const unsound: number[] = [];
    const hunt = new Hunt({
      ...options,
      onSeed: () => {},
      onUnsound: (seed) => unsound.push(seed),
    });
    for (const name of ['acknowledged-before-durable', 'watch-page-loses-a-revision']) {
      const mutant = mutants.find((one) => one.name === name);
      expect(mutant).toBeDefined();
      if (mutant !== undefined)
        expect(await hunt.run(mutant, compiler.compile(mutant))).toMatchObject({
          seed: expect.any(Number),
        });
    }
    expect(unsound).toEqual([]);
  },
  timeout,
);
