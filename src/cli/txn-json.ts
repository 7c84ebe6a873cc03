/**
 * The JSON form of a transaction. Text is UTF-8; a field with `Base64` at the end of its name holds any
 * bytes. Every field that is not known is refused.
 */
import {
  type Compare,
  type CompareOperator,
  compare,
  type KeySelector,
  type Operation,
  operation,
  RollcallError,
  type SortOrder,
  type SortTarget,
  type Txn,
} from '../client/index.ts';
import { keysOf } from './key-options.ts';
import { UsageError } from './usage-error.ts';

export const jsonHelp = `
The JSON form, all fields but type, key and value optional:

  {"compare": [{"target": "mod", "key": "a", "operator": ">", "number": 0},
               {"target": "value", "key": "b", "operator": "=", "value": "x"},
               {"target": "lease", "key": "c", "operator": "!=", "leaseId": null}],
   "success": [{"type": "put", "key": "a", "value": "x", "leaseId": null, "previous": false,
                "ignoreValue": false, "ignoreLease": false}],
   "failure": [{"type": "get", "key": "a", "revision": 0, "limit": 0, "sortBy": "key", "order": "ascend",
                "keysOnly": false, "countOnly": false, "minModRevision": 0, "maxModRevision": 0,
                "minCreateRevision": 0, "maxCreateRevision": 0},
               {"type": "delete", "key": "a", "previous": false},
               {"type": "txn", "compare": [], "success": [], "failure": []}]}

Targets are value, version, create, mod and lease, operators = != < >. Whatever has a key may have
"prefix": true, "fromKey": true or "rangeEnd". keyBase64, rangeEndBase64 and valueBase64 hold any bytes.
`;

/** More than a request may have; how many exactly is its own check. */
const depthMax = 32;

type Fields = Readonly<Record<string, unknown>>;

const operators: Readonly<Record<string, CompareOperator>> = {
  '=': 'equal',
  '!=': 'notEqual',
  '<': 'less',
  '>': 'greater',
};
const keyFields = ['key', 'keyBase64', 'rangeEnd', 'rangeEndBase64', 'prefix', 'fromKey'] as const;
const valueFields = ['value', 'valueBase64'] as const;

export function txnOfJson(text: string): Txn {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`The transaction is not JSON: ${why}`, { cause });
  }
  return new Reader(given, '', 0).txn([]);
}

/** One object of the document, and where it stands. */
class Reader {
  readonly #fields: Fields;
  readonly #path: string;
  readonly #depth: number;

  constructor(given: unknown, path: string, depth: number) {
    this.#path = path;
    this.#depth = depth;
    if (depth > depthMax) {
      throw new RollcallError('tooManyOperations', `${path} is nested too deeply`);
    }
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      throw this.#wrong('', 'must be an object');
    }
    this.#fields = given as Fields;
  }

  txn(known: readonly string[]): Txn {
    this.#expectOnly(['compare', 'success', 'failure', ...known]);
    return {
      compare: this.#list('compare').map((one) => one.compare()),
      success: this.#list('success').map((one) => one.operation()),
      failure: this.#list('failure').map((one) => one.operation()),
    };
  }

  compare(): Compare {
    const target = this.#oneOf('target', ['value', 'version', 'create', 'mod', 'lease'] as const);
    const sign = this.#oneOf('operator', Object.keys(operators));
    const operator = operators[sign] as CompareOperator;
    const common = ['target', 'operator', ...keyFields];
    const keys = this.#keys();
    switch (target) {
      case 'value':
        this.#expectOnly([...common, ...valueFields]);
        return compare.value(keys, operator, this.#bytes('value') ?? this.#missing('value'));
      case 'lease':
        this.#expectOnly([...common, 'leaseId']);
        return compare.lease(keys, operator, this.#leaseId());
      default: {
        this.#expectOnly([...common, 'number']);
        const number = this.#number('number') ?? this.#missing('number');
        const kind = { version: 'version', create: 'createRevision', mod: 'modRevision' } as const;
        return compare[kind[target]](keys, operator, number);
      }
    }
  }

  operation(): Operation {
    const type = this.#oneOf('type', ['put', 'get', 'delete', 'txn'] as const);
    switch (type) {
      case 'put':
        return this.#put();
      case 'get':
        return this.#get();
      case 'delete':
        this.#expectOnly(['type', ...keyFields, 'previous']);
        return operation.delete(this.#keys(), { previous: this.#flag('previous') });
      case 'txn':
        return operation.txn(this.txn(['type']));
    }
  }

  #put(): Operation {
    const flags = ['previous', 'ignoreValue', 'ignoreLease'] as const;
    this.#expectOnly(['type', 'key', 'keyBase64', ...valueFields, 'leaseId', ...flags]);
    const ignoreValue = this.#flag('ignoreValue');
    const value = this.#bytes('value') ?? (ignoreValue ? '' : this.#missing('value'));
    return operation.put(this.#bytes('key') ?? this.#missing('key'), value, {
      leaseId: this.#leaseId(),
      previous: this.#flag('previous'),
      ignoreValue,
      ignoreLease: this.#flag('ignoreLease'),
    });
  }

  #get(): Operation {
    const numbers = [
      'revision',
      'limit',
      'minModRevision',
      'maxModRevision',
      'minCreateRevision',
      'maxCreateRevision',
    ] as const;
    const flags = ['keysOnly', 'countOnly'] as const;
    this.#expectOnly(['type', ...keyFields, ...numbers, ...flags, 'sortBy', 'order']);
    const given = numbers.map((name) => [name, this.#number(name) ?? 0] as const);
    const sortBy = this.#given('sortBy') === undefined ? 'key' : this.#sortTarget();
    const order =
      this.#given('order') === undefined
        ? 'ascend'
        : this.#oneOf<SortOrder>('order', ['ascend', 'descend']);
    return operation.range(this.#keys(), {
      ...Object.fromEntries(given),
      keysOnly: this.#flag('keysOnly'),
      countOnly: this.#flag('countOnly'),
      sortBy,
      order,
    });
  }

  #sortTarget(): SortTarget {
    const targets = ['key', 'version', 'create', 'mod', 'value'] as const;
    const target = this.#oneOf('sortBy', targets);
    if (target === 'create') return 'createRevision';
    return target === 'mod' ? 'modRevision' : target;
  }

  #keys(): KeySelector {
    const [prefix, fromKey] = [this.#flag('prefix'), this.#flag('fromKey')];
    const key = this.#bytes('key') ?? this.#missing('key');
    if (prefix && fromKey) throw this.#wrong('', 'has both prefix and fromKey');
    try {
      return keysOf(key, this.#bytes('rangeEnd'), { prefix, fromKey });
    } catch (cause) {
      throw cause instanceof UsageError ? this.#wrong('', cause.message) : cause;
    }
  }

  #bytes(name: string): Uint8Array | undefined {
    const [text, base64] = [this.#given(name), this.#given(`${name}Base64`)];
    if (text !== undefined && base64 !== undefined) throw this.#wrong(name, 'is given twice');
    if (text !== undefined) {
      if (typeof text !== 'string') throw this.#wrong(name, 'must be a string');
      return Buffer.from(text);
    }
    if (base64 === undefined) return undefined;
    const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : null;
    if (bytes === null || bytes.toString('base64') !== base64) {
      throw this.#wrong(`${name}Base64`, 'must be base64');
    }
    return bytes;
  }

  #number(name: string): number | undefined {
    const number = this.#given(name);
    if (number === undefined) return undefined;
    if (Number.isSafeInteger(number) && (number as number) >= 0) return number as number;
    throw this.#wrong(name, 'must be a whole number from 0');
  }

  #flag(name: string): boolean {
    const flag = this.#given(name) ?? false;
    if (typeof flag !== 'boolean') throw this.#wrong(name, 'must be true or false');
    return flag;
  }

  #leaseId(): string | null {
    const leaseId = this.#given('leaseId') ?? null;
    if (leaseId === null) return null;
    if (typeof leaseId === 'string' && /^(?!0{16})[0-9a-f]{16}$/.test(leaseId)) return leaseId;
    throw this.#wrong('leaseId', 'must be 16 hexadecimal digits, or null');
  }

  #oneOf<const T extends string>(name: string, choices: readonly T[]): T {
    const choice = choices.find((one) => one === this.#given(name));
    if (choice === undefined) throw this.#wrong(name, `must be one of ${choices.join(', ')}`);
    return choice;
  }

  #list(name: string): Reader[] {
    const list = this.#given(name) ?? [];
    if (!Array.isArray(list)) throw this.#wrong(name, 'must be an array');
    return list.map((one, at) => new Reader(one, `${this.#at(name)}[${at}]`, this.#depth + 1));
  }

  #given(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  #expectOnly(known: readonly string[]): void {
    for (const name of Object.keys(this.#fields)) {
      if (!known.includes(name)) throw this.#wrong(name, 'is not known here');
    }
  }

  #missing(name: string): never {
    throw this.#wrong(name, 'is missing');
  }

  #wrong(name: string, what: string): UsageError {
    return new UsageError(`${this.#at(name) || 'The transaction'} ${what}`);
  }

  #at(name: string): string {
    return name === '' || this.#path === '' ? this.#path + name : `${this.#path}.${name}`;
  }
}
