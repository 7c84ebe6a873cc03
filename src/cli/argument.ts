/** Parsers of arguments. What they refuse is a usage error. */
import { InvalidArgumentError } from 'commander';
import { isName } from '../base/limits.ts';
import type { KeySelector } from '../client/index.ts';
import { UsageError } from './usage-error.ts';

export function parseLeaseId(text: string): string {
  if (/^[0-9a-f]{16}$/.test(text) && !/^0+$/.test(text)) return text;
  throw new InvalidArgumentError(
    'A lease id is 16 hexadecimal digits, as `lease grant` prints it.',
  );
}

export function parseRevision(text: string): number {
  const revision = Number(text);
  if (/^\d+$/.test(text) && revision > 0 && Number.isSafeInteger(revision)) return revision;
  throw new InvalidArgumentError('A revision is a whole number from 1.');
}

export function parseKey(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('A key has at least one byte.');
}

/** Keys of a command with `--prefix`, where an empty one means every key. */
export function selectorOf(key: string, prefix: boolean): KeySelector {
  if (prefix) return { prefix: key };
  if (key !== '') return key;
  throw new UsageError('An empty KEY means every key with --prefix only');
}

export function parseAddress(text: string): string {
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[1] ?? 0);
  if (match !== null && port >= 1 && port <= 65_535) return text;
  throw new InvalidArgumentError(
    'An address is HOST:PORT, an IPv6 host in brackets, the port from 1 to 65535.',
  );
}

/** As an address, but port 0 lets the system choose. */
export function parseListen(text: string): string {
  return /^\[?[^\s\]]+\]?:0$/.test(text) ? text : parseAddress(text);
}

export function parseAddresses(text: string): readonly string[] {
  return text.split(',').map((address) => parseAddress(address.trim()));
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count > 0 && Number.isSafeInteger(count)) return count;
  throw new InvalidArgumentError('It is a whole number from 1.');
}

/** A bound of which 0 says that there is none. */
export function parseBound(text: string): number {
  const bound = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(bound)) return bound;
  throw new InvalidArgumentError('It is a whole number from 0.');
}

export function parseName(text: string): string {
  if (isName(text)) return text;
  throw new InvalidArgumentError(
    'A name has 1 to 128 of a-z 0-9 . _ - and begins with a letter or digit.',
  );
}

/** A tag; the option may stand several times. */
export function collectTags(
  text: string,
  previous: readonly string[] | undefined,
): readonly string[] {
  if (text === '') throw new InvalidArgumentError('A tag has at least one character.');
  return [...(previous ?? []), text];
}

/** `NAME=VALUE`, several times. */
export function collectPairs(
  text: string,
  previous: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It is NAME=VALUE.');
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) };
}
