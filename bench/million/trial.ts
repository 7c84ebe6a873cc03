/** The keys of the benchmark, written by the page and timed by the piece. */
import { type Client, operation } from '../../src/client/index.ts';
import type { MillionSettings } from './settings.ts';

const writesAtOnce = 64;
const keysPerPage = 100;
const pagesAtOnce = 8;

function keyOf(number: number): string {
  return `million/${number.toString().padStart(9, '0')}`;
}

/** Writes every key once, out of order, a page in each transaction. */
export async function writeAll(
  client: Client,
  { keys, valueBytes }: MillionSettings,
  round: number,
  progress: (share: number) => void,
): Promise<void> {
  const pages = Math.ceil(keys / keysPerPage);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let page = next++; page < pages; page = next++) {
      const value = Buffer.alloc(valueBytes, `${round}.${page} `);
      const success = [];
      for (let at = page; at < keys; at += pages) success.push(operation.put(keyOf(at), value));
      await client.txn({ success });
      progress(page / pages);
    }
  };
  await Promise.all(Array.from({ length: pagesAtOnce }, work));
}

/** Requests a second, so many at a time, for so long. */
async function rateOf(seconds: number, request: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let done = 0;
  const work = async (): Promise<void> => {
    for (; performance.now() < endMs; done++) await request();
  };
  await Promise.all(Array.from({ length: writesAtOnce }, work));
  return (done * 1000) / (performance.now() - startMs);
}

export interface Rates {
  readonly puts: number;
  readonly gets: number;
}

/** Of keys drawn from `keys`, which are few while the store is called empty. */
export async function timeRates(
  client: Client,
  { seconds, valueBytes }: MillionSettings,
  keys: number,
): Promise<Rates> {
  const value = Buffer.alloc(valueBytes, 'rate ');
  const anyKey = () => keyOf(Math.floor(Math.random() * keys));
  const puts = await rateOf(seconds, () => client.put(anyKey(), value));
  const gets = await rateOf(seconds, () => client.get(anyKey()));
  return { puts, gets };
}
