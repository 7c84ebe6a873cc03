/** Words of a line as a shell and Go's quotes have them, as binary strings: one character per byte. */
import { UsageError } from './usage-error.ts';

/** A quoted word in either kind of quotes, or a bare one. */
const word = /"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']\S*/g;
const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};
const escaped =
  /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([abfnrtv\\"']))/g;

export function wordsOf(line: string): string[] {
  const rest = line.replace(word, ' ').trim();
  if (rest !== '') throw new UsageError(`A quote is not closed in: ${line}`);
  return (line.match(word) ?? []).map(unquoted);
}

/** In double quotes escapes mean what they mean in Go; in single quotes everything is as it stands. */
export function unquoted(text: string): string {
  if (text.startsWith("'")) return binary(text.slice(1, -1));
  if (!text.startsWith('"')) return binary(text);
  const inner = text.slice(1, -1);
  if (inner.replace(escaped, '').includes('\\')) {
    throw new UsageError(`An escape is unknown in: ${text}`);
  }
  let result = '';
  let end = 0;
  for (const match of inner.matchAll(escaped)) {
    result += binary(inner.slice(end, match.index)) + meaningOf(match);
    end = match.index + match[0].length;
  }
  return result + binary(inner.slice(end));
}

function meaningOf([text, hex, short, long, octal, simple]: RegExpMatchArray): string {
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
  if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
  if (simple !== undefined) return escapes[simple] as string;
  const point = Number.parseInt(short ?? long ?? '', 16);
  if (point > 0x10ffff) throw new UsageError(`There is no such character: ${text}`);
  return binary(String.fromCodePoint(point));
}

function binary(text: string): string {
  return Buffer.from(text).toString('latin1');
}
