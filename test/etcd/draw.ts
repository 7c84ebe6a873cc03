/** Draws steps: few keys and leases, so that histories meet, and revisions around the newest one. */
import { type Random, randomBelow } from '../../src/base/prng.ts';
import type {
  Compare,
  DeleteOperation,
  Key,
  KeyRange,
  LeaseId,
  Operation,
  PutOperation,
  RangeOperation,
  TxnOperation,
} from '../../src/mvcc/types.ts';
import { isAvoided } from './differences.ts';
import type { Step, WatchStep } from './step.ts';

const keys: readonly Key[] = [
  'a',
  'a\0',
  'b',
  'ba',
  'bb',
  'c',
  '__proto__',
  '\0',
  '\xff',
  '\xff\xff',
];
const values = ['', 'x', 'y', 'yy', '\0\xff', '\xfe'].map((text) => Buffer.from(text, 'latin1'));
/** The last one is negative where ids are signed. */
const leaseIds: readonly LeaseId[] = [
  '0000000000000001',
  '0000000000000002',
  '0000000000000abc',
  '7fffffffffffffff',
  '8000000000000001',
];
/** How far around the newest revision others are drawn. */
const distanceMax = 100;
const depthMax = 3;

export class Draw {
  readonly #random: Random;
  #head = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** `head` is the newest revision, `compactRevision` the oldest that can be read. */
  step(head: number, compactRevision: number): Step | WatchStep {
    this.#head = head;
    for (;;) {
      const step = this.#any();
      if (!isAvoided(step, compactRevision)) return step;
    }
  }

  #any(): Step | WatchStep {
    return this.#weighted<Step | WatchStep>([
      [24, () => this.#put()],
      [20, () => ({ ...this.#range(), serializable: this.#chance(3) })],
      [8, () => this.#delete()],
      [24, () => this.#txn(1)],
      [4, () => this.#wrong()],
      [9, () => this.#grant()],
      [2, () => ({ type: 'leaseRevoke', leaseId: this.#leaseId() })],
      [1, () => ({ type: 'leaseKeepAlive', leaseId: this.#leaseId() })],
      [3, () => ({ type: 'leaseTimeToLive', leaseId: this.#leaseId() })],
      [1, () => ({ type: 'leaseList' })],
      [2, () => this.#compact()],
      [2, () => this.#watch()],
    ]);
  }

  #put(): PutOperation {
    const [ignoreValue, ignoreLease] = [this.#chance(12), this.#chance(12)];
    return {
      type: 'put',
      key: this.#one(keys),
      value: ignoreValue ? new Uint8Array(0) : this.#one(values),
      leaseId: ignoreLease || !this.#chance(4) ? null : this.#leaseId(),
      previous: this.#chance(2),
      ...{ ignoreValue, ignoreLease },
    };
  }

  #delete(): DeleteOperation {
    return { type: 'delete', ...this.#keys(), previous: this.#chance(2) };
  }

  #range(): RangeOperation {
    return {
      type: 'range',
      ...this.#keys(),
      revision: this.#chance(4) ? this.#revision() : 0,
      limit: this.#chance(3) ? this.#below(4) : 0,
      keysOnly: this.#chance(5),
      countOnly: this.#chance(6),
      sortBy: this.#chance(2)
        ? 'key'
        : this.#one(['version', 'createRevision', 'modRevision', 'value'] as const),
      order: this.#one(['ascend', 'descend'] as const),
      minModRevision: this.#chance(6) ? this.#revision() : 0,
      maxModRevision: this.#chance(6) ? this.#revision() : 0,
      minCreateRevision: this.#chance(6) ? this.#revision() : 0,
      maxCreateRevision: this.#chance(6) ? this.#revision() : 0,
    };
  }

  #txn(depth: number): TxnOperation {
    return {
      type: 'txn',
      compares: this.#several(2, () => this.#compare()),
      success: this.#several(4, () => this.#operation(depth)),
      failure: this.#several(4, () => this.#operation(depth)),
    };
  }

  #operation(depth: number): Operation {
    return this.#weighted<Operation>([
      [5, () => this.#put()],
      [2, () => this.#range()],
      [2, () => this.#delete()],
      [depth < depthMax ? 3 : 0, () => this.#txn(depth + 1)],
    ]);
  }

  #compare(): Compare {
    const common = {
      ...(this.#chance(2) ? this.#keys() : { key: this.#one(keys), rangeEnd: null }),
      operator: this.#one(['equal', 'notEqual', 'less', 'greater'] as const),
    };
    return this.#weighted<Compare>([
      [1, () => ({ ...common, target: 'value', value: this.#one(values) })],
      [1, () => ({ ...common, target: 'version', number: this.#below(4) })],
      [1, () => ({ ...common, target: 'createRevision', number: this.#number() })],
      [1, () => ({ ...common, target: 'modRevision', number: this.#number() })],
      [
        1,
        () => ({ ...common, target: 'lease', leaseId: this.#chance(2) ? this.#leaseId() : null }),
      ],
    ]);
  }

  #grant(): Step {
    return { type: 'leaseGrant', leaseId: this.#leaseId(), ttlSeconds: 3600 + this.#below(3600) };
  }

  /** At the newest revision, behind it or before it. */
  #compact(): Step {
    const revision = this.#chance(2) ? this.#head : this.#revision();
    return { type: 'compact', revision, physical: this.#chance(2) };
  }

  #watch(): WatchStep {
    return {
      type: 'watch',
      ...this.#keys(),
      startRevision: this.#chance(4) ? 0 : this.#revision(),
      previous: this.#chance(2),
      only: this.#weighted<WatchStep['only']>([
        [4, () => null],
        [1, () => 'put'],
        [1, () => 'delete'],
      ]),
    };
  }

  /** What makes no sense whatever the store holds. */
  #wrong(): Step {
    const put = this.#put();
    return this.#weighted<Step>([
      [1, () => ({ ...put, key: '' })],
      [1, () => ({ type: 'delete', key: '', rangeEnd: null, previous: false })],
      [1, () => ({ ...this.#range(), key: '', serializable: false })],
      [1, () => ({ ...put, value: Buffer.from('x'), ignoreValue: true })],
      [1, () => ({ ...put, leaseId: this.#leaseId(), ignoreLease: true })],
      [1, () => ({ ...this.#txn(depthMax), success: [put, put] })],
      [1, () => ({ type: 'txn', compares: [], success: [], failure: this.#many(129) })],
      [1, () => ({ type: 'txn', compares: [], success: this.#many(128), failure: [] })],
    ]);
  }

  #many(count: number): Operation[] {
    const put = { ...this.#put(), ignoreValue: false, ignoreLease: false, leaseId: null };
    return Array.from({ length: count }, (_, at) => ({ ...put, key: `many/${at}` }));
  }

  /** One key, all from one on, or those between two, of which the second may come first. */
  #keys(): KeyRange {
    return this.#weighted<KeyRange>([
      [4, () => ({ key: this.#one(keys), rangeEnd: null })],
      [2, () => ({ key: this.#one(keys), rangeEnd: '\0' })],
      [3, () => ({ key: this.#one(keys), rangeEnd: this.#one(keys) })],
    ]);
  }

  #leaseId(): LeaseId {
    return this.#one(leaseIds);
  }

  /** Mostly one that has been. */
  #revision(): number {
    const ahead = this.#chance(4) ? this.#below(distanceMax + 1) : 0;
    return Math.max(1, this.#head + ahead - (ahead > 0 ? 0 : this.#below(distanceMax + 1)));
  }

  #number(): number {
    return this.#chance(3) ? 0 : Math.max(0, this.#head - this.#below(30));
  }

  #several<T>(max: number, draw: () => T): T[] {
    return Array.from({ length: this.#below(max + 1) }, draw);
  }

  #weighted<T>(choices: readonly (readonly [weight: number, draw: () => T])[]): T {
    let left = this.#random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, draw] of choices) {
      left -= weight;
      if (left < 0) return draw();
    }
    return (choices[0] as (typeof choices)[number])[1]();
  }

  #one<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)] as T;
  }

  #chance(oneOf: number): boolean {
    return this.#below(oneOf) === 0;
  }

  #below(below: number): number {
    return randomBelow(this.#random, below);
  }
}
