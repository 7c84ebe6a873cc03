import { EventEmitter } from 'node:events';
import { RollcallError } from '../base/errors.ts';
import type { Items } from '../wire/results.ts';
import { Deferred } from './deferred.ts';
import type { Instance } from './instance.ts';
import type { Router } from './router.ts';
import { Stream } from './stream.ts';
import { type ViewChange, ViewState } from './view-state.ts';

export interface ServiceName {
  readonly namespace: string;
  readonly service: string;
}

/** The instances of a service at one revision. */
export interface ServiceSnapshot {
  readonly revision: number;
  readonly instances: readonly Instance[];
}

interface ViewEvents {
  /** Also for the first view, where everything is added. */
  change: [ViewChange];
  /** The view takes no more changes; null after `close()`. */
  end: [RollcallError | null];
}

/**
 * A live view of a service. It follows the cluster by itself, over lost connections and changes of
 * leaders, never goes back in revision, and keeps the last known instances while nobody can be reached.
 *
 * Iterating it gives the newest snapshot each time there is a newer one than the last; a slow consumer
 * skips those between.
 */
export class ServiceView extends EventEmitter<ViewEvents> {
  readonly #name: ServiceName;
  readonly #router: Router;
  readonly #state = new ViewState();
  readonly #stream: Stream;
  readonly #ready = new Deferred<void>();
  readonly #stopListening: () => void;
  #incarnation: string | null = null;
  #changed = new Deferred<void>();
  /** Counts the changes, for those who iterate. */
  #version = 0;
  #error: RollcallError | null = null;
  #over = false;

  /** @internal Views come from `client.registry.discover`. */
  constructor(router: Router, name: ServiceName) {
    super();
    this.#router = router;
    this.#name = name;
    this.#stream = new Stream(router, 'watchService', {
      parameters: () => {
        // What was seen of another incarnation says nothing about this one.
        const isSame = this.#incarnation === this.#router.incarnation;
        const seen = isSame ? this.#state.revision : 0;
        return { ...this.#name, minRevision: Math.max(this.#router.revision, seen, 0) };
      },
      item: (body, incarnation) => this.#item(body as Items['watchService'], incarnation),
      ended: (error) => this.#end(error),
    });
    this.#stopListening = router.onClose(() => this.close());
    if (router.closed) this.#end(new RollcallError('closed', 'The client is closed'));
    else this.#stream.start();
  }

  /** Resolves once the instances are known; rejects if they never will be. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** What is known now; empty before `ready()`. */
  instances(): readonly Instance[] {
    return this.#state.instances;
  }

  /** The revision that `instances()` is true for; −1 before `ready()`. */
  get revision(): number {
    return this.#state.revision;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ServiceSnapshot, void, void> {
    let given = 0;
    for (;;) {
      const changed = this.#changed.promise;
      if (this.#over) {
        if (this.#error !== null) throw this.#error;
        return;
      }
      if (this.#version === given) {
        await changed;
        continue;
      }
      given = this.#version;
      yield { revision: this.#state.revision, instances: this.#state.instances };
    }
  }

  /** Stops following. Idempotent. */
  close(): void {
    this.#end(null);
  }

  #item(item: Items['watchService'], incarnation: string): void {
    if (this.#over) return;
    // A node that repairs itself names none meanwhile.
    const known = incarnation === '' ? this.#incarnation : incarnation;
    const anew = this.#incarnation !== null && this.#incarnation !== known;
    // Changes of another history say nothing about the view of this one.
    if (anew && item.type === 'changes') return;
    this.#incarnation = known;
    this.#router.sawRevision(item.revision);
    const change = item.type === 'view' ? this.#state.replace(item, anew) : this.#state.apply(item);
    this.#ready.resolve();
    if (change === null) return;
    this.#version++;
    this.#announce();
    try {
      this.emit('change', change);
    } catch (error) {
      // Reported, but not here: it must take nothing from the others in the same frame.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #announce(): void {
    this.#changed.resolve();
    this.#changed = new Deferred();
  }

  #end(error: RollcallError | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#stream.stop();
    this.#stopListening();
    this.#ready.reject(error ?? new RollcallError('closed', 'The view was closed'));
    this.#announce();
    this.emit('end', error);
  }
}
