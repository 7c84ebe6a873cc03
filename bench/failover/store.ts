/** A cluster as the writer sees it. */
export interface Store {
  /**
   * Resolves once every node can be reached, so that no round begins with half a client. `leader` is the
   * endpoint to begin at, for a client that does not know by itself.
   */
  whole(leader: string): Promise<void>;
  /** Resolves when the write is acknowledged; rejects when it failed or may have. Never writes twice. */
  put(key: string, value: Uint8Array): Promise<void>;
  /** All keys with the prefix, by a linearizable read. */
  keys(prefix: string): Promise<ReadonlySet<string>>;
}

export type StoreName = 'sdk' | 'etcd';

export const wholeMsMax = 10_000;
