/**
 * Half-open intervals of strings, [from, to), each with a value, and which of them hold a given point:
 * an AVL tree ordered by (from, to) in which each node knows the greatest `to` below it.
 *
 *                    [d, k)  greatest end: t
 *                   /      \
 *     [a, c)  end: c        [f, t)  end: t          the point `e`: left is skipped, as it ends before
 *
 * Invariants: heights of siblings differ by at most one; `maxTo` is the greatest `to` of the subtree,
 * where null means "without an end". So `set` and `delete` take O(log n), and a search visits a path of
 * O(log n) nodes for each interval that it finds, at worst, and is cut off where everything ends before.
 */

interface Node<V> {
  from: string;
  to: string | null;
  value: V;
  left: Node<V> | null;
  right: Node<V> | null;
  height: number;
  maxTo: string | null;
}

export class IntervalTree<V> {
  #root: Node<V> | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(from: string, to: string | null): V | undefined {
    let node = this.#root;
    while (node !== null) {
      const order = compare(from, to, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds the interval, or gives it another value. */
  set(from: string, to: string | null, value: V): void {
    this.#root = this.#insert(this.#root, from, to, value);
  }

  /** Returns whether the interval was there. */
  delete(from: string, to: string | null): boolean {
    const before = this.#size;
    this.#root = this.#remove(this.#root, from, to);
    return this.#size < before;
  }

  /** Calls back with the value of each interval that holds the point, in the order of (from, to). */
  stab(point: string, visit: (value: V) => void): void {
    search(this.#root, point, visit);
  }

  #insert(node: Node<V> | null, from: string, to: string | null, value: V): Node<V> {
    if (node === null) {
      this.#size++;
      return { from, to, value, left: null, right: null, height: 1, maxTo: to };
    }
    const order = compare(from, to, node);
    if (order === 0) node.value = value;
    else if (order < 0) node.left = this.#insert(node.left, from, to, value);
    else node.right = this.#insert(node.right, from, to, value);
    return balanced(node);
  }

  #remove(node: Node<V> | null, from: string, to: string | null): Node<V> | null {
    if (node === null) return null;
    const order = compare(from, to, node);
    if (order < 0) node.left = this.#remove(node.left, from, to);
    else if (order > 0) node.right = this.#remove(node.right, from, to);
    else if (node.left === null || node.right === null) {
      this.#size--;
      return node.left ?? node.right;
    } else {
      // The next one in order takes the place, and is removed where it was.
      let next = node.right;
      while (next.left !== null) next = next.left;
      node.from = next.from;
      node.to = next.to;
      node.value = next.value;
      node.right = this.#remove(node.right, next.from, next.to);
    }
    return balanced(node);
  }
}

function search<V>(node: Node<V> | null, point: string, visit: (value: V) => void): void {
  if (node === null || endsBefore(node.maxTo, point)) return;
  search(node.left, point, visit);
  if (point < node.from) return;
  if (!endsBefore(node.to, point)) visit(node.value);
  search(node.right, point, visit);
}

function endsBefore(to: string | null, point: string): boolean {
  return to !== null && to <= point;
}

function compare<V>(from: string, to: string | null, node: Node<V>): number {
  if (from !== node.from) return from < node.from ? -1 : 1;
  return compareEnds(to, node.to);
}

function compareEnds(left: string | null, right: string | null): number {
  if (left === right) return 0;
  if (left === null) return 1;
  return right === null || left < right ? -1 : 1;
}

function balanced<V>(node: Node<V>): Node<V> {
  const lean = heightOf(node.left) - heightOf(node.right);
  if (lean > 1) {
    const left = node.left as Node<V>;
    if (heightOf(left.left) < heightOf(left.right)) node.left = rotatedLeft(left);
    return rotatedRight(node);
  }
  if (lean < -1) {
    const right = node.right as Node<V>;
    if (heightOf(right.right) < heightOf(right.left)) node.right = rotatedRight(right);
    return rotatedLeft(node);
  }
  refresh(node);
  return node;
}

function rotatedRight<V>(node: Node<V>): Node<V> {
  const top = node.left as Node<V>;
  node.left = top.right;
  top.right = node;
  refresh(node);
  refresh(top);
  return top;
}

function rotatedLeft<V>(node: Node<V>): Node<V> {
  const top = node.right as Node<V>;
  node.right = top.left;
  top.left = node;
  refresh(node);
  refresh(top);
  return top;
}

function heightOf<V>(node: Node<V> | null): number {
  return node === null ? 0 : node.height;
}

function refresh<V>(node: Node<V>): void {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  node.maxTo = node.to;
  if (left !== null && compareEnds(left.maxTo, node.maxTo) > 0) node.maxTo = left.maxTo;
  if (right !== null && compareEnds(right.maxTo, node.maxTo) > 0) node.maxTo = right.maxTo;
}
