/** The arguments and options that name keys, read and write them: of commands and of lines of `txn`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type {
  DeleteOptions,
  Key,
  KeySelector,
  PutOptions,
  ReadOptions,
  SortOrder,
  SortTarget,
} from '../client/index.ts';
import { parseCount, parseLeaseId, parseRevision } from './argument.ts';
import { UsageError } from './usage-error.ts';

export interface KeyOptions {
  readonly prefix: boolean;
  readonly fromKey: boolean;
}

function addKeyOptions(command: Command): Command {
  return command
    .argument('<key>')
    .argument('[range-end]', 'with it: all keys from KEY up to but not including RANGE-END')
    .option('--prefix', 'all keys that begin with KEY; an empty KEY means every key', false)
    .addOption(
      new Option('--from-key', 'all keys from KEY on; an empty KEY means every key')
        .default(false)
        .conflicts('prefix'),
    );
}

/** Throws a UsageError for what names no keys. */
export function keysOf(
  key: Key,
  rangeEnd: Key | undefined,
  { prefix, fromKey }: KeyOptions,
): KeySelector {
  if (rangeEnd !== undefined) {
    if (prefix || fromKey) {
      throw new UsageError('A RANGE-END does not go with --prefix or --from-key');
    }
    if (key.length === 0 || rangeEnd.length === 0) {
      throw new UsageError('KEY and RANGE-END have at least one byte each');
    }
    return { key, end: rangeEnd };
  }
  if (prefix) return { prefix: key };
  if (fromKey) return key.length === 0 ? { prefix: '' } : { from: key };
  if (key.length > 0) return key;
  throw new UsageError('An empty KEY means every key with --prefix or --from-key only');
}

export interface ReadKeyOptions extends KeyOptions {
  readonly rev?: number;
  readonly limit?: number;
  readonly sortBy?: SortTarget;
  readonly order?: SortOrder;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly minModRev?: number;
  readonly maxModRev?: number;
  readonly minCreateRev?: number;
  readonly maxCreateRev?: number;
}

const sortTargets: Readonly<Record<string, SortTarget>> = {
  key: 'key',
  version: 'version',
  create: 'createRevision',
  mod: 'modRevision',
  modify: 'modRevision',
  value: 'value',
};

function parseSortTarget(text: string): SortTarget {
  const name = text.toLowerCase();
  const target = Object.hasOwn(sortTargets, name) ? sortTargets[name] : undefined;
  if (target !== undefined) return target;
  throw new InvalidArgumentError('It is one of key, version, create, mod, value.');
}

function parseOrder(text: string): SortOrder {
  const order = text.toLowerCase();
  if (order === 'ascend' || order === 'descend') return order;
  throw new InvalidArgumentError('It is ascend or descend.');
}

export function addReadOptions(command: Command): Command {
  return addKeyOptions(command)
    .option('--rev <revision>', 'as it was at this revision', parseRevision)
    .option('--limit <count>', 'at most so many keys', parseCount)
    .option('--sort-by <target>', 'key, version, create, mod or value', parseSortTarget)
    .option('--order <order>', 'ascend or descend', parseOrder)
    .option('--keys-only', 'leave the values out', false)
    .addOption(
      new Option('--count-only', 'print how many keys there are').default(false).conflicts('limit'),
    )
    .option('--min-mod-rev <revision>', 'only keys changed at it or later', parseRevision)
    .option('--max-mod-rev <revision>', 'only keys last changed at it or before', parseRevision)
    .option('--min-create-rev <revision>', 'only keys created at it or later', parseRevision)
    .option('--max-create-rev <revision>', 'only keys created at it or before', parseRevision);
}

/** Only what was given. */
export function readOptionsOf(options: ReadKeyOptions): ReadOptions {
  const { rev, limit, sortBy, order, minModRev, maxModRev, minCreateRev, maxCreateRev } = options;
  return {
    ...(rev !== undefined && { revision: rev }),
    ...(limit !== undefined && { limit }),
    ...(sortBy !== undefined && { sortBy }),
    ...(order !== undefined && { order }),
    ...(options.keysOnly && { keysOnly: true }),
    ...(options.countOnly && { countOnly: true }),
    ...(minModRev !== undefined && { minModRevision: minModRev }),
    ...(maxModRev !== undefined && { maxModRevision: maxModRev }),
    ...(minCreateRev !== undefined && { minCreateRevision: minCreateRev }),
    ...(maxCreateRev !== undefined && { maxCreateRevision: maxCreateRev }),
  };
}

export interface WriteKeyOptions {
  readonly lease?: string;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export function addWriteOptions(command: Command): Command {
  return command
    .option('--lease <id>', 'delete the key when this lease ends', parseLeaseId)
    .option('--prev-kv', 'also print the key and the value from before', false)
    .option('--ignore-value', 'keep the value that the key has; there must be one', false)
    .addOption(
      new Option(
        '--ignore-lease',
        'keep the lease that the key has; without it and --lease it has none',
      )
        .default(false)
        .conflicts('lease'),
    );
}

export function putOptionsOf(options: WriteKeyOptions): PutOptions {
  return {
    leaseId: options.lease ?? null,
    previous: options.prevKv,
    ignoreValue: options.ignoreValue,
    ignoreLease: options.ignoreLease,
  };
}

export interface DeleteKeyOptions extends KeyOptions {
  readonly prevKv: boolean;
}

export function addDeleteOptions(command: Command): Command {
  return addKeyOptions(command).option(
    '--prev-kv',
    'also print the deleted keys and their values',
    false,
  );
}

export function deleteOptionsOf({ prevKv }: DeleteKeyOptions): DeleteOptions {
  return { previous: prevKv };
}
