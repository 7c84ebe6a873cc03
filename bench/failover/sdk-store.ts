/** Rollcall through its SDK, which knows all endpoints and does the rest by itself. */
import { type Client, connect } from '../../src/client/index.ts';
import { elapse } from '../progress.ts';
import { type Store, wholeMsMax } from './store.ts';

export async function openSdkStore(endpoints: readonly string[]): Promise<Store> {
  return new SdkStore(await connect({ endpoints }));
}

class SdkStore implements Store {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async whole(): Promise<void> {
    const deadline = performance.now() + wholeMsMax;
    for (;;) {
      const away = this.#client.endpoints.find(({ connected }) => !connected);
      if (away === undefined) return;
      if (performance.now() > deadline) throw away.error ?? new Error(`${away.address} is away`);
      await elapse(10);
    }
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#client.put(key, value);
  }

  async keys(prefix: string): Promise<ReadonlySet<string>> {
    const { pairs } = await this.#client.getPrefix(prefix, { keysOnly: true });
    return new Set(pairs.map(({ keyText }) => keyText));
  }
}
