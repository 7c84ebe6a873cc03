/** A real etcd, spoken to through its JSON gateway: keys and values in base64, 64-bit numbers as text. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../e2e/ports.ts';
import { answerOf, eventsOf, type Json } from './etcd-answers.ts';
import { requestOf, watchOf } from './etcd-requests.ts';
import { EventList } from './event-list.ts';
import type { Answer, OpenWatch, Step, Store, WatchStep } from './step.ts';

/** The path of etcd, or null where it is not on the PATH. */
export async function findEtcd(): Promise<string | null> {
  const { PATH = '' } = process.env;
  for (const folder of PATH.split(delimiter)) {
    const path = join(folder, 'etcd');
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return null;
}

export async function startEtcd(program: string, directory: string): Promise<Store> {
  const [clientPort, peerPort] = await freePorts(2);
  const url = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const parameters = [
    ...['--name', 'e1', '--data-dir', join(directory, 'e1')],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `e1=${peerUrl}`],
  ];
  const child = spawn(program, parameters, { stdio: 'ignore' });
  const end = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const store = new EtcdStore(child, url);
  while (!(await store.isReady())) {
    if (child.exitCode !== null) throw new Error(`etcd ended with ${child.exitCode}`);
    await delay(50);
  }
  return store;
}

class EtcdStore implements Store {
  readonly name = 'etcd';
  readonly #child: ChildProcess;
  readonly #url: string;

  constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  async isReady(): Promise<boolean> {
    return this.#post('/v3/kv/range', { key: 'AA==' }).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async run(step: Step): Promise<Answer> {
    const { path, body } = requestOf(step);
    const response = await this.#post(path, body);
    const text = await response.text();
    // A stream ends with a line for each of its answers.
    return answerOf(step, JSON.parse(text.split('\n')[0] ?? '') as Json);
  }

  async watch(step: WatchStep): Promise<OpenWatch> {
    const stop = new AbortController();
    const list = new EventList(() => stop.abort());
    const response = await this.#post('/v3/watch', watchOf(step), stop.signal);
    const { body } = response;
    if (body === null) throw new Error('etcd answered a watch without a body');
    const created = new Promise<void>((resolve) => {
      void this.#read(body, list, resolve).catch((error: unknown) => {
        if (!stop.signal.aborted) list.ended({ error: String(error) });
        resolve();
      });
    });
    await created;
    return list;
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async #read(body: ReadableStream<Uint8Array>, list: EventList, created: () => void) {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { events, end } = eventsOf(JSON.parse(line) as Json);
        for (const event of events) list.add(event);
        if (end !== null) list.ended(end);
        created();
      }
    }
  }

  #post(path: string, body: object, signal?: AbortSignal): Promise<Response> {
    return fetch(this.#url + path, {
      method: 'POST',
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
  }
}
