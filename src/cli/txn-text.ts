/** The text form of a transaction: that of etcdctl, with `!=` and ranges of keys in compares. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import {
  type Compare,
  type CompareOperator,
  compare,
  type KeySelector,
  type Operation,
  operation,
  type Txn,
} from '../client/index.ts';
import { parseLeaseId } from './argument.ts';
import {
  addDeleteOptions,
  addReadOptions,
  addWriteOptions,
  type DeleteKeyOptions,
  deleteOptionsOf,
  keysOf,
  putOptionsOf,
  type ReadKeyOptions,
  readOptionsOf,
  type WriteKeyOptions,
} from './key-options.ts';
import { unquoted, wordsOf } from './txn-words.ts';
import { UsageError } from './usage-error.ts';

const operators: Readonly<Record<string, CompareOperator>> = {
  '=': 'equal',
  '!=': 'notEqual',
  '<': 'less',
  '>': 'greater',
};
const quoted = String.raw`"(?:[^"\\]|\\.)*"`;
const comparison = new RegExp(
  String.raw`^(\w+)\s*\(\s*(${quoted})\s*(?:,\s*(${quoted})\s*)?\)\s*(=|!=|<|>)\s*(${quoted})$`,
);
const revisionTargets = {
  c: 'createRevision',
  create: 'createRevision',
  m: 'modRevision',
  mod: 'modRevision',
  ver: 'version',
  version: 'version',
} as const;

/** Compares, an empty line, operations if they hold, an empty line, operations if not. */
export function txnOfText(text: string): Txn {
  const sections: string[][] = [[]];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') sections.push([]);
    else sections.at(-1)?.push(line.trim());
  }
  const [compares = [], success = [], failure = [], ...rest] = sections;
  if (rest.some((lines) => lines.length > 0)) {
    throw new UsageError(
      'There are more than three sections: compares, operations if they hold, operations if not',
    );
  }
  return {
    compare: compares.map(compareOf),
    success: success.map(operationOf),
    failure: failure.map(operationOf),
  };
}

function compareOf(line: string): Compare {
  const [, target = '', key = '', end, sign = '', given = ''] = comparison.exec(line) ?? [];
  const operator = operators[sign];
  if (operator === undefined) {
    throw new UsageError(`A compare is like mod("key") > "0", with = != < or >, and not: ${line}`);
  }
  const keys = keysOfCompare(key, end);
  const value = unquoted(given);
  if (target === 'val' || target === 'value') return compare.value(keys, operator, bytes(value));
  if (target === 'lease') return compare.lease(keys, operator, leaseOf(value, line));
  if (!Object.hasOwn(revisionTargets, target)) {
    throw new UsageError(`A compare is of mod, create, version, value or lease: ${line}`);
  }
  if (!/^\d{1,16}$/.test(value))
    throw new UsageError(`It is compared with a whole number: ${line}`);
  const kind = revisionTargets[target as keyof typeof revisionTargets];
  return compare[kind](keys, operator, Number(value));
}

function keysOfCompare(key: string, end: string | undefined): KeySelector {
  return keysOf(bytes(unquoted(key)), end === undefined ? undefined : bytes(unquoted(end)), {
    prefix: false,
    fromKey: false,
  });
}

function leaseOf(text: string, line: string): string | null {
  if (/^0+$/.test(text)) return null;
  try {
    return parseLeaseId(text);
  } catch (cause) {
    if (!(cause instanceof InvalidArgumentError)) throw cause;
    throw new UsageError(`${cause.message} "0" is none: ${line}`, { cause });
  }
}

function operationOf(line: string): Operation {
  const [name = '', ...words] = wordsOf(line);
  const parse = Object.hasOwn(parsers, name) ? parsers[name] : undefined;
  if (parse === undefined) throw new UsageError(`An operation is put, get or del: ${line}`);
  try {
    return parse(words);
  } catch (cause) {
    if (!(cause instanceof CommanderError || cause instanceof UsageError)) throw cause;
    const message = cause.message.replace(/^error: /, '');
    throw new UsageError(`${message}, in: ${line}`, { cause });
  }
}

const parsers: Readonly<Record<string, (words: readonly string[]) => Operation>> = {
  put: (words) => {
    const line = parsed(
      addWriteOptions(new Command('put').argument('<key>').argument('[value]')),
      words,
    );
    const options = line.opts<WriteKeyOptions>();
    const [key = '', value] = line.args;
    if (key === '') throw new UsageError('A KEY has at least one byte');
    if ((value === undefined) !== options.ignoreValue) {
      throw new UsageError('A put has either a VALUE or --ignore-value');
    }
    return operation.put(bytes(key), bytes(value ?? ''), putOptionsOf(options));
  },
  get: (words) => {
    const line = parsed(addReadOptions(new Command('get')), words);
    const options = line.opts<ReadKeyOptions>();
    return operation.range(keysOfLine(line, options), readOptionsOf(options));
  },
  del: (words) => {
    const line = parsed(addDeleteOptions(new Command('del')), words);
    const options = line.opts<DeleteKeyOptions>();
    return operation.delete(keysOfLine(line, options), deleteOptionsOf(options));
  },
};

function keysOfLine({ args }: Command, options: ReadKeyOptions | DeleteKeyOptions): KeySelector {
  const [key = '', rangeEnd] = args;
  return keysOf(bytes(key), rangeEnd === undefined ? undefined : bytes(rangeEnd), options);
}

function parsed(command: Command, words: readonly string[]): Command {
  const silent = { writeOut: () => {}, writeErr: () => {} };
  return command
    .exitOverride()
    .configureOutput(silent)
    .helpOption(false)
    .parse(words, { from: 'user' });
}

function bytes(binary: string): Uint8Array {
  return Buffer.from(binary, 'latin1');
}
