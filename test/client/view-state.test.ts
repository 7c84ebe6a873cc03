import { describe, expect, test } from 'vitest';
import { ViewState } from '../../src/client/view-state.ts';
import type { WireInstance } from '../../src/wire/results.ts';

function instance(id: string, modRevision: number): WireInstance {
  return {
    id,
    address: `${id}:80`,
    tags: [],
    metadata: [['zone', 'a']],
    leaseId: null,
    createRevision: 1,
    modRevision,
  };
}

function view(revision: number, ...instances: readonly WireInstance[]) {
  return { type: 'view', revision, instances } as const;
}

const ids = (instances: readonly { readonly id: string }[]) => instances.map(({ id }) => id);

describe('a view of a service', () => {
  test('begins with everything added, even if that is nothing', () => {
    const state = new ViewState();
    expect(state.revision).toBe(-1);
    const change = state.replace(view(4, instance('a', 2)), false);
    expect(ids(change?.added ?? [])).toEqual(['a']);
    expect(state.instances[0]?.metadata).toEqual({ zone: 'a' });
    expect(new ViewState().replace(view(4), false)).toEqual({
      revision: 4,
      added: [],
      updated: [],
      removed: [],
    });
  });

  test('applies changes and tells added from updated and removed', () => {
    const state = new ViewState();
    state.replace(view(4, instance('a', 2), instance('b', 3)), false);
    const change = state.apply({
      type: 'changes',
      revision: 5,
      events: [
        { type: 'set', instance: instance('c', 5) },
        { type: 'set', instance: instance('a', 5) },
        { type: 'removed', id: 'b', reason: 'expired' },
        { type: 'removed', id: 'unheard-of', reason: 'expired' },
      ],
    });
    expect(ids(change?.added ?? [])).toEqual(['c']);
    expect(ids(change?.updated ?? [])).toEqual(['a']);
    expect(change?.removed.map(({ instance, reason }) => [instance.id, reason])).toEqual([
      ['b', 'expired'],
    ]);
    expect(ids(state.instances)).toEqual(['a', 'c']);
    expect(state.revision).toBe(5);
  });

  test('a new view after a lost connection is told as the difference', () => {
    const state = new ViewState();
    state.replace(view(4, instance('a', 2), instance('b', 3)), false);
    const change = state.replace(view(9, instance('b', 7), instance('c', 8)), false);
    expect(ids(change?.added ?? [])).toEqual(['c']);
    expect(ids(change?.updated ?? [])).toEqual(['b']);
    expect(change?.removed).toMatchObject([{ instance: { id: 'a' }, reason: 'unknown' }]);
    expect(state.replace(view(9, instance('b', 7), instance('c', 8)), false)).toBeNull();
  });

  test('never goes back: an older view and known changes are passed over', () => {
    const state = new ViewState();
    state.replace(view(9, instance('a', 2)), false);
    expect(state.replace(view(7), false)).toBeNull();
    const old = { type: 'removed', id: 'a', reason: 'expired' } as const;
    expect(state.apply({ type: 'changes', revision: 9, events: [old] })).toBeNull();
    expect(state.revision).toBe(9);
    expect(ids(state.instances)).toEqual(['a']);
    expect(state.apply({ type: 'changes', revision: 10, events: [old] })?.revision).toBe(10);
  });

  test('another incarnation replaces all, whatever its revision', () => {
    const state = new ViewState();
    state.replace(view(9, instance('a', 2), instance('b', 2)), false);
    const change = state.replace(view(3, instance('a', 2)), true);
    expect(ids(change?.updated ?? [])).toEqual(['a']);
    expect(change?.removed).toHaveLength(1);
    expect(state.revision).toBe(3);
  });
});
