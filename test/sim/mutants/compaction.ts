import type { Mutant } from './mutant.ts';

/** History that is forgotten. */
export const compaction: readonly Mutant[] = [
  {
    name: 'deletion-at-the-floor-forgotten',
    file: 'src/mvcc/compaction.ts',
    find: 'const keeps = !table.isTombstone(slot) || table.revision(slot) === floor;',
    replace: 'const keeps = !table.isTombstone(slot);',
    story:
      'A watch from the compacted revision on is not told of a deletion at that very revision.',
    shownBy: [],
  },
  {
    name: 'compaction-goes-beyond-its-floor',
    file: 'src/mvcc/compaction.ts',
    find: 'if (revision > floor) break;',
    replace: 'if (revision > floor + 1) break;',
    story: 'What the revision after the floor has replaced is removed as well.',
    shownBy: [],
  },
  {
    name: 'compaction-leaves-out-half-pages',
    file: 'src/mvcc/compaction.ts',
    find: 'if (slots.length >= changesMin && revision !== previous) return { slots, through: previous };',
    replace: 'if (slots.length >= changesMin) return { slots, through: revision };',
    story: 'A step of the removal that ends within a revision takes the rest of it for done.',
    shownBy: ['restart'],
  },
];
