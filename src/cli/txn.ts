import type { Command } from 'commander';
import { limits } from '../base/limits.ts';
import { type OperationResult, RollcallError, type TxnResult } from '../client/index.ts';
import { pairLines } from './get.ts';
import { pairDocument } from './json.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';
import type { Terminal } from './terminal.ts';
import { jsonHelp, txnOfJson } from './txn-json.ts';
import { txnOfText } from './txn-text.ts';

const textHelp = `
The text form has three sections, each ended by an empty line: compares, operations if all of them hold,
operations if not. Any of them may be empty.

  mod("config/color") > "0"
  value("config/size") = "large"

  put config/color "dark blue"
  get --prefix config/

  del config/color --prev-kv

Compares are of mod, create, version, value or lease ("0" is none) with = != < or >; two keys, as in
mod("a", "m") > "0", mean all from the first up to but not including the second. Operations are put, get and
del with the options that these commands have. Words in double quotes may have escapes as in Go, such as
"\\n" and "\\xff".
`;

export function txnCommand(run: Run): Command {
  return clientCommand(run, 'txn')
    .description('run a transaction, which standard input gives as text or JSON')
    .addHelpText('after', examples('txn < swap.txt', 'txn --json < swap.json'))
    .addHelpText('after', textHelp + jsonHelp)
    .action(async (options: ClientOptions) => {
      const text = await readText(run.terminal);
      const txn = text.trimStart().startsWith('{') ? txnOfJson(text) : txnOfText(text);
      const { revision, ...result } = await withClient(options, (client) => client.txn(txn));
      const document = { revision, ...txnDocument(result) };
      show(run, options, document, `revision ${revision}\n${txnText(result)}`);
    });
}

async function readText(terminal: Terminal): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of terminal.readInput()) {
    chunks.push(chunk);
    length += chunk.length;
    // Base64 and escapes take up to four bytes for one.
    if (length > 4 * limits.clientFrameBytesMax) {
      throw new RollcallError('frameTooLarge', 'The transaction is larger than any may be');
    }
  }
  return Buffer.concat(chunks).toString();
}

function txnText({ succeeded, results }: TxnResult): string {
  return [succeeded ? 'SUCCESS\n' : 'FAILURE\n', ...results.map(resultText)].join('\n');
}

function resultText(result: OperationResult): string {
  switch (result.type) {
    case 'put':
      return `OK\n${result.previous === null ? '' : pairLines(result.previous)}`;
    case 'delete':
      return `${result.deleted}\n${result.previous.map(pairLines).join('')}`;
    case 'range':
      return result.pairs.length === 0 ? `${result.count}\n` : result.pairs.map(pairLines).join('');
    case 'txn':
      return txnText(result);
  }
}

function txnDocument({ succeeded, results }: TxnResult): object {
  return { succeeded, results: results.map(resultDocument) };
}

function resultDocument(result: OperationResult): object {
  switch (result.type) {
    case 'put':
      return {
        type: 'put',
        previous: result.previous === null ? null : pairDocument(result.previous),
      };
    case 'delete':
      return { ...result, previous: result.previous.map(pairDocument) };
    case 'range':
      return { ...result, type: 'get', pairs: result.pairs.map(pairDocument) };
    case 'txn':
      return { type: 'txn', ...txnDocument(result) };
  }
}
