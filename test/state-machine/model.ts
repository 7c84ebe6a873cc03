/** The key-value state told as plainly as possible: a list of all versions, read from its end. */
import type {
  Compare,
  KeyRange,
  KeyValue,
  Operation,
  OperationResult,
  RangeRequest,
  TxnOperation,
} from '../../src/mvcc/types.ts';

export interface ModelVersion {
  readonly pair: KeyValue;
  readonly deleted: boolean;
  readonly cause: string;
}

const absent = {
  value: new Uint8Array(0),
  createRevision: 0,
  modRevision: 0,
  version: 0,
  leaseId: null,
};

/** What the model answers to a refused operation; the text is the code. */
export class ModelRefusal extends Error {}

export class Model {
  revision = 1;
  floor = 0;
  now = 0;
  versions: ModelVersion[] = [];
  leases = new Map<string, { ttlMs: number; deadlineMs: number }>();

  state(revision: number): Map<string, KeyValue> {
    const found = new Map<string, KeyValue>();
    for (const { pair, deleted } of this.versions) {
      if (pair.modRevision > revision) continue;
      if (deleted) found.delete(pair.key);
      else found.set(pair.key, pair);
    }
    return found;
  }

  pairs(range: KeyRange, revision: number): KeyValue[] {
    return [...this.state(revision).values()]
      .filter(({ key }) => contains(range, key))
      .sort((left, right) => (left.key < right.key ? -1 : 1));
  }

  range(request: RangeRequest, now: number): Extract<OperationResult, { type: 'range' }> {
    if (request.revision > this.revision) throw new ModelRefusal('futureRevision');
    if (request.revision !== 0 && request.revision < this.floor) {
      throw new ModelRefusal('compacted');
    }
    const all = this.pairs(request, request.revision || now);
    const within = all.filter((pair) => isSelected(request, pair));
    const sorted = sort(within, request);
    const limited = request.limit ? sorted.slice(0, request.limit) : sorted;
    const pairs = request.countOnly
      ? []
      : limited.map((pair) => (request.keysOnly ? { ...pair, value: absent.value } : pair));
    const more = !request.countOnly && within.length > pairs.length;
    return { type: 'range', pairs, count: all.length, more };
  }

  compact(revision: number): void {
    if (revision > this.revision) throw new ModelRefusal('futureRevision');
    if (revision <= this.floor) throw new ModelRefusal('compacted');
    this.floor = revision;
  }

  /** What reads and watches from the floor on need. */
  kept(): ModelVersion[] {
    return this.versions.filter(({ pair: { key, modRevision }, deleted }) => {
      if (modRevision >= this.floor) return modRevision > this.floor || this.floor > 0;
      const isNewest = this.state(this.floor).get(key)?.modRevision === modRevision;
      return isNewest && !deleted;
    });
  }

  /** Runs a command; a refused one leaves everything as it was. */
  write(operation: Operation): OperationResult {
    const { versions } = this;
    this.versions = [...versions];
    try {
      if (operation.type === 'txn' && hasDuplicate(operation)) {
        throw new ModelRefusal('duplicateKey');
      }
      const next = this.revision + 1;
      const choices = this.#choose(operation);
      this.#check(operation, choices);
      const result = this.#run(operation, next, choices);
      if (this.versions.length > versions.length) this.revision = next;
      return result;
    } catch (error) {
      this.versions = versions;
      throw error;
    }
  }

  /** Moves the time on and deletes what belonged to leases that ended, first deadline first. */
  advance(now: number): void {
    this.now = Math.max(this.now, now);
    const due = [...this.leases].filter(([, { deadlineMs }]) => deadlineMs <= this.now);
    due.sort(([a, left], [b, right]) => left.deadlineMs - right.deadlineMs || (a < b ? -1 : 1));
    for (const [id] of due) this.endLease(id, 'leaseExpired');
  }

  endLease(leaseId: string, cause: string): void {
    this.leases.delete(leaseId);
    const held = this.pairs(everything, this.revision).filter((pair) => pair.leaseId === leaseId);
    if (held.length === 0) return;
    this.revision++;
    for (const { key } of held) this.#tombstone(key, this.revision, cause);
  }

  #tombstone(key: string, revision: number, cause: string): void {
    this.versions.push({ pair: { ...absent, key, modRevision: revision }, deleted: true, cause });
  }

  /** The choices of all transactions inside, in the order in which they run. */
  #choose(operation: Operation): boolean[] {
    if (operation.type !== 'txn') return [];
    const succeeded = operation.compares.every((compare) => this.#holds(compare));
    const taken = succeeded ? operation.success : operation.failure;
    return [succeeded, ...taken.flatMap((nested) => this.#choose(nested))];
  }

  /** What operations speak of has to exist before the command: first what all puts, then what all ranges do. */
  #check(operation: Operation, choices: readonly boolean[]): void {
    const taken = [...takenOf(operation, [...choices])];
    const before = this.state(this.revision);
    for (const put of taken) {
      if (put.type !== 'put') continue;
      const keeps = put.ignoreValue || put.ignoreLease;
      const isGone = put.leaseId !== null && !this.leases.has(put.leaseId);
      // A put by itself is asked for its lease first.
      if (isGone && put === operation) throw new ModelRefusal('leaseNotFound');
      if (keeps && !before.has(put.key)) throw new ModelRefusal('keyNotFound');
      if (isGone) throw new ModelRefusal('leaseNotFound');
    }
    for (const range of taken) {
      const isFuture = range.type === 'range' && range.revision > this.revision;
      if (isFuture) throw new ModelRefusal('futureRevision');
    }
  }

  #holds(compare: Compare): boolean {
    const pairs = this.pairs(compare, this.revision);
    if (pairs.length > 0) return pairs.every((pair) => compares(compare, pair));
    return compare.target !== 'value' && compares(compare, { ...absent, key: '' });
  }

  #run(operation: Operation, revision: number, choices: boolean[]): OperationResult {
    switch (operation.type) {
      case 'put': {
        const { key } = operation;
        const before = this.state(revision).get(key) ?? null;
        const value = operation.ignoreValue && before ? before.value : operation.value;
        const leaseId = operation.ignoreLease && before ? before.leaseId : operation.leaseId;
        const createRevision = before?.createRevision ?? revision;
        const version = (before?.version ?? 0) + 1;
        const pair = { key, value, createRevision, modRevision: revision, version, leaseId };
        this.versions.push({ pair, deleted: false, cause: 'request' });
        return { type: 'put', previous: operation.previous ? before : null };
      }
      case 'delete': {
        const before = this.pairs(operation, revision);
        for (const { key } of before) this.#tombstone(key, revision, 'request');
        const previous = operation.previous ? before : [];
        return { type: 'delete', deleted: before.length, previous };
      }
      case 'range':
        return this.range(operation, revision);
      case 'txn': {
        const succeeded = choices.shift() === true;
        const taken = succeeded ? operation.success : operation.failure;
        const results = taken.map((nested) => this.#run(nested, revision, choices));
        return { type: 'txn', succeeded, results };
      }
    }
  }
}

/** The operations of the branches that are taken, without the transactions around them. */
function* takenOf(
  operation: Operation,
  choices: boolean[],
): Generator<Exclude<Operation, TxnOperation>> {
  if (operation.type !== 'txn') {
    yield operation;
    return;
  }
  const taken = choices.shift() === true ? operation.success : operation.failure;
  for (const nested of taken) yield* takenOf(nested, choices);
}

const everything: KeyRange = { key: '\0', rangeEnd: '\0' };

export function contains({ key: from, rangeEnd }: KeyRange, key: string): boolean {
  if (rangeEnd === null) return key === from;
  return key >= from && (rangeEnd === '\0' || key < rangeEnd);
}

function isSelected(request: RangeRequest, pair: KeyValue): boolean {
  if (pair.modRevision < request.minModRevision) return false;
  if (pair.createRevision < request.minCreateRevision) return false;
  if (request.maxModRevision !== 0 && pair.modRevision > request.maxModRevision) return false;
  return request.maxCreateRevision === 0 || pair.createRevision <= request.maxCreateRevision;
}

/** Those that are alike stay in key order, whichever way the others are turned. */
function sort(pairs: readonly KeyValue[], { sortBy, order }: RangeRequest): KeyValue[] {
  return pairs.toSorted((left, right) => {
    const ascending =
      sortBy === 'key'
        ? Buffer.compare(Buffer.from(left.key, 'latin1'), Buffer.from(right.key, 'latin1'))
        : sortBy === 'value'
          ? Buffer.compare(left.value, right.value)
          : left[sortBy] - right[sortBy];
    return order === 'ascend' ? ascending : -ascending;
  });
}

function compares(compare: Compare, pair: KeyValue): boolean {
  const order = orderOf(compare, pair);
  switch (compare.operator) {
    case 'equal':
      return order === 0;
    case 'notEqual':
      return order !== 0;
    case 'less':
      return order < 0;
    case 'greater':
      return order > 0;
  }
}

function orderOf(compare: Compare, pair: KeyValue): number {
  if (compare.target === 'value') return Buffer.compare(pair.value, compare.value);
  if (compare.target === 'lease') {
    const own = BigInt.asIntN(64, BigInt(`0x${pair.leaseId ?? '0'}`));
    const given = BigInt.asIntN(64, BigInt(`0x${compare.leaseId ?? '0'}`));
    return own < given ? -1 : own > given ? 1 : 0;
  }
  return pair[compare.target] - compare.number;
}

/** Tries every choice of branches and looks for a key that would be put twice or put and deleted. */
function hasDuplicate(txn: TxnOperation): boolean {
  return flatten(txn).some((operations) =>
    operations.some((one, at) =>
      operations.some((other, otherAt) => {
        if (one.type !== 'put' || at === otherAt) return false;
        if (other.type === 'put') return other.key === one.key;
        return other.type === 'delete' && contains(other, one.key);
      }),
    ),
  );
}

/** The operations that run together, for every choice of branches. */
function flatten(txn: TxnOperation): Operation[][] {
  return [txn.success, txn.failure].flatMap((branch) =>
    branch.reduce<Operation[][]>(
      (all, operation) => {
        const ways = operation.type === 'txn' ? flatten(operation) : [[operation]];
        return all.flatMap((before) => ways.map((way) => [...before, ...way]));
      },
      [[]],
    ),
  );
}
