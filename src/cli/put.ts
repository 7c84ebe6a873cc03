import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { limits } from '../base/limits.ts';
import { RollcallError } from '../client/index.ts';
import { parseKey } from './argument.ts';
import { pairLines } from './get.ts';
import { pairDocument } from './json.ts';
import { addWriteOptions, putOptionsOf, type WriteKeyOptions } from './key-options.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

interface PutCommandOptions extends ClientOptions, WriteKeyOptions {
  readonly file?: string;
}

export function putCommand(run: Run): Command {
  const command = clientCommand(run, 'put')
    .description('store a value under a key: a text, or byte by byte what a file or stdin holds')
    .argument('<key>', 'the key', parseKey)
    .argument('[value]', 'the value; - reads it from standard input')
    .option('--file <path>', 'the value is what this file holds');
  return addWriteOptions(command)
    .addHelpText(
      'after',
      examples(
        'put config/color blue',
        'put session/7 active --lease 5d3c8a1f0b2e4c69',
        'put session/7 idle --ignore-lease --prev-kv',
        'put tls/cert --file cert.pem',
        'put logo - < logo.png',
      ),
    )
    .action(async (key: string, given: string | undefined, options: PutCommandOptions) => {
      const value = await givenValue(run.terminal, given, options);
      const { revision, previous } = await withClient(options, (client) =>
        client.put(key, value, putOptionsOf(options)),
      );
      const before = previous === null ? null : pairDocument(previous);
      const document = options.prevKv ? { revision, previous: before } : { revision };
      const lines = previous === null ? '' : pairLines(previous);
      show(run, options, document, `revision ${revision}\n${lines}`);
    });
}

async function givenValue(
  terminal: Terminal,
  given: string | undefined,
  { file, ignoreValue }: PutCommandOptions,
): Promise<string | Uint8Array> {
  if (ignoreValue) {
    if (given === undefined && file === undefined) return '';
    throw new UsageError('--ignore-value goes without a VALUE');
  }
  if (file === undefined) {
    if (given === undefined) {
      throw new UsageError('A value is missing: VALUE, - for standard input, or --file');
    }
    return given === '-' ? readAll(terminal.readInput()) : given;
  }
  if (given !== undefined) throw new UsageError('There is a VALUE and a --file, give one');
  try {
    return await readAll(createReadStream(file));
  } catch (cause) {
    if (cause instanceof RollcallError || !(cause instanceof Error)) throw cause;
    throw new UsageError(`--file cannot be read: ${cause.message}`, { cause });
  }
}

/** Ends early at what is too large for a value, however much follows. */
async function readAll(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limits.valueBytesMax) {
      const message = `The value has more than ${limits.valueBytesMax} bytes`;
      throw new RollcallError('valueTooLarge', message);
    }
  }
  return Buffer.concat(chunks);
}
