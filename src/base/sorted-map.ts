/**
 * A map in key order: a B+ tree on strings, compared as the engine compares them (by code unit, which
 * for binary strings is by byte).
 *
 *              [  |m|  |t|  ]            a branch: separators, children and how many keys each holds
 *             /      |       \
 *   [a c f] -> [m n p] -> [t v]          leaves, linked for iteration
 *
 * Invariants: separator i is greater than every key of child i and at most the smallest of child
 * i + 1; all leaves have the same depth; no node holds more than `fanout`; `counts` are exact. They
 * make `rank` and `count` O(log n), as `get`, `set`, `delete` and the start of an iteration are.
 */
import { assert } from './assert.ts';

/** The most keys of a leaf and children of a branch. */
const fanout = 64;
/** A node smaller than this after a deletion is joined with a neighbour, or shares with it. */
const fillMin = 16;

class Leaf<V> {
  keys: string[] = [];
  values: V[] = [];
  next: Leaf<V> | null = null;
}

class Branch<V> {
  separators: string[] = [];
  children: Node<V>[] = [];
  counts: number[] = [];
}

type Node<V> = Leaf<V> | Branch<V>;

interface Split<V> {
  readonly separator: string;
  readonly right: Node<V>;
}

export class SortedMap<V> {
  #root: Node<V> = new Leaf<V>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    const leaf = this.#leafOf(key);
    const at = lowerBound(leaf.keys, key);
    return leaf.keys[at] === key ? leaf.values[at] : undefined;
  }

  has(key: string): boolean {
    const leaf = this.#leafOf(key);
    return leaf.keys[lowerBound(leaf.keys, key)] === key;
  }

  set(key: string, value: V): void {
    const before = this.#size;
    const split = this.#insert(this.#root, key, value);
    if (split === null) return;
    const root = new Branch<V>();
    root.separators.push(split.separator);
    root.children.push(this.#root, split.right);
    const right = sizeOf(split.right);
    root.counts.push(before + 1 - right, right);
    this.#root = root;
  }

  /** Returns whether the key was there. */
  delete(key: string): boolean {
    if (!this.#remove(this.#root, key)) return false;
    this.#size--;
    while (this.#root instanceof Branch && this.#root.children.length === 1) {
      this.#root = this.#root.children[0] as Node<V>;
    }
    return true;
  }

  /** The value of the greatest key that is less than `key`, or of the greatest of all for null. */
  lastBefore(key: string | null): V | undefined {
    return lastBefore(this.#root, key);
  }

  /** How many keys are less than `key`. */
  rank(key: string): number {
    let rank = 0;
    let node = this.#root;
    while (node instanceof Branch) {
      const at = upperBound(node.separators, key);
      for (let child = 0; child < at; child++) rank += node.counts[child] as number;
      node = node.children[at] as Node<V>;
    }
    return rank + lowerBound(node.keys, key);
  }

  /** How many keys lie in [from, to); null means without an end. */
  count(from: string, to: string | null): number {
    const end = to === null ? this.#size : this.rank(to);
    return Math.max(0, end - this.rank(from));
  }

  /** Stands at the first key that is not less than `from`. Any change of the map invalidates it. */
  cursor(from = ''): SortedMapCursor<V> {
    const leaf = this.#leafOf(from);
    return new SortedMapCursor(leaf, lowerBound(leaf.keys, from));
  }

  /** In key order. The map must not change meanwhile. */
  *entries(): Generator<readonly [key: string, value: V]> {
    for (const cursor = this.cursor(); cursor.key !== undefined; cursor.advance()) {
      yield [cursor.key, cursor.value];
    }
  }

  #leafOf(key: string): Leaf<V> {
    let node = this.#root;
    while (node instanceof Branch) {
      node = node.children[upperBound(node.separators, key)] as Node<V>;
    }
    return node;
  }

  #insert(node: Node<V>, key: string, value: V): Split<V> | null {
    if (node instanceof Leaf) return this.#insertIntoLeaf(node, key, value);
    const at = upperBound(node.separators, key);
    const before = this.#size;
    const split = this.#insert(node.children[at] as Node<V>, key, value);
    node.counts[at] = (node.counts[at] as number) + this.#size - before;
    if (split === null) return null;
    const right = sizeOf(split.right);
    node.counts[at] = (node.counts[at] as number) - right;
    node.separators.splice(at, 0, split.separator);
    node.children.splice(at + 1, 0, split.right);
    node.counts.splice(at + 1, 0, right);
    return node.children.length > fanout ? splitBranch(node) : null;
  }

  #insertIntoLeaf(leaf: Leaf<V>, key: string, value: V): Split<V> | null {
    const at = lowerBound(leaf.keys, key);
    if (leaf.keys[at] === key) {
      leaf.values[at] = value;
      return null;
    }
    this.#size++;
    leaf.keys.splice(at, 0, key);
    leaf.values.splice(at, 0, value);
    if (leaf.keys.length <= fanout) return null;
    // Keys that come in ascending order leave full leaves behind, not half full ones.
    const ascending = leaf.next === null && at === fanout;
    const middle = ascending ? fanout : fanout >> 1;
    const right = new Leaf<V>();
    right.keys = leaf.keys.splice(middle);
    right.values = leaf.values.splice(middle);
    right.next = leaf.next;
    leaf.next = right;
    return { separator: right.keys[0] as string, right };
  }

  #remove(node: Node<V>, key: string): boolean {
    if (node instanceof Leaf) {
      const at = lowerBound(node.keys, key);
      if (node.keys[at] !== key) return false;
      node.keys.splice(at, 1);
      node.values.splice(at, 1);
      return true;
    }
    const at = upperBound(node.separators, key);
    const child = node.children[at] as Node<V>;
    if (!this.#remove(child, key)) return false;
    node.counts[at] = (node.counts[at] as number) - 1;
    if (widthOf(child) < fillMin && node.children.length > 1) rebalance(node, at);
    return true;
  }
}

/** A place in a SortedMap. `key` is undefined behind the last one. */
export class SortedMapCursor<V> {
  #leaf: Leaf<V>;
  #at: number;

  constructor(leaf: Leaf<V>, at: number) {
    this.#leaf = leaf;
    this.#at = at;
    this.#skipEnd();
  }

  get key(): string | undefined {
    return this.#leaf.keys[this.#at];
  }

  /** Only where there is a key. */
  get value(): V {
    assert(this.#at < this.#leaf.keys.length, 'Cursor stands behind the last key');
    return this.#leaf.values[this.#at] as V;
  }

  advance(): void {
    this.#at++;
    this.#skipEnd();
  }

  #skipEnd(): void {
    while (this.#at >= this.#leaf.keys.length && this.#leaf.next !== null) {
      this.#leaf = this.#leaf.next;
      this.#at = 0;
    }
  }
}

function widthOf<V>(node: Node<V>): number {
  return node instanceof Leaf ? node.keys.length : node.children.length;
}

function sizeOf<V>(node: Node<V>): number {
  if (node instanceof Leaf) return node.keys.length;
  let size = 0;
  for (const count of node.counts) size += count;
  return size;
}

function splitBranch<V>(branch: Branch<V>): Split<V> {
  const middle = branch.children.length >> 1;
  const right = new Branch<V>();
  right.children = branch.children.splice(middle);
  right.counts = branch.counts.splice(middle);
  right.separators = branch.separators.splice(middle);
  const separator = branch.separators.pop();
  assert(separator !== undefined, 'A full branch has separators');
  return { separator, right };
}

/** Joins the child at `at` with a neighbour, or shares evenly with it when both do not fit into one. */
function rebalance<V>(branch: Branch<V>, at: number): void {
  const first = at > 0 ? at - 1 : 0;
  const left = branch.children[first] as Node<V>;
  const right = branch.children[first + 1] as Node<V>;
  if (left instanceof Leaf && right instanceof Leaf) {
    left.keys.push(...right.keys);
    left.values.push(...right.values);
  } else {
    assert(left instanceof Branch && right instanceof Branch, 'Neighbours have the same depth');
    left.separators.push(branch.separators[first] as string, ...right.separators);
    left.children.push(...right.children);
    left.counts.push(...right.counts);
  }
  const total = (branch.counts[first] as number) + (branch.counts[first + 1] as number);
  if (widthOf(left) <= fanout) {
    if (left instanceof Leaf && right instanceof Leaf) left.next = right.next;
    branch.children.splice(first + 1, 1);
    branch.counts.splice(first + 1, 1);
    branch.separators.splice(first, 1);
    branch.counts[first] = total;
    return;
  }
  branch.separators[first] = share(left, right);
  branch.counts[first + 1] = sizeOf(right);
  branch.counts[first] = total - sizeOf(right);
}

/** Moves the second half of `left`, which holds everything, into `right`. Returns the new separator. */
function share<V>(left: Node<V>, right: Node<V>): string {
  const middle = widthOf(left) >> 1;
  if (left instanceof Leaf && right instanceof Leaf) {
    right.keys = left.keys.splice(middle);
    right.values = left.values.splice(middle);
    return right.keys[0] as string;
  }
  assert(left instanceof Branch && right instanceof Branch, 'Neighbours have the same depth');
  right.children = left.children.splice(middle);
  right.counts = left.counts.splice(middle);
  right.separators = left.separators.splice(middle);
  return left.separators.pop() as string;
}

/** Of nodes other than the root none is empty, so at most one level is looked at twice. */
function lastBefore<V>(node: Node<V>, key: string | null): V | undefined {
  if (node instanceof Leaf) {
    const at = key === null ? node.keys.length : lowerBound(node.keys, key);
    return node.values[at - 1];
  }
  // A separator may be greater than the keys to its left: there may be none before `key` in its child.
  const at = key === null ? node.children.length - 1 : lowerBound(node.separators, key);
  const found = lastBefore(node.children[at] as Node<V>, key);
  return found !== undefined || at === 0
    ? found
    : lastBefore(node.children[at - 1] as Node<V>, null);
}

/** The index of the first key that is not less than `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The index of the first key that is greater than `key`. */
function upperBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
