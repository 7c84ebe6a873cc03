/**
 * A subscription that outlives its connections. Any node can serve it; after a loss it goes on, from
 * where its consumer says, on another endpoint if there is one.
 */
import type { Timer } from '../base/clock.ts';
import type { RollcallError } from '../base/errors.ts';
import type { Method, Parameters } from '../wire/methods.ts';
import type { StreamMethod } from '../wire/results.ts';
import { backoffMs } from './backoff.ts';
import type { Connection } from './connection.ts';
import type { Exchange } from './exchange.ts';
import { mayResume } from './resend.ts';
import type { Router, Waiter } from './router.ts';

const resumeBackoff = { minMs: 20, maxMs: 1000 };
const crowdedAttemptsMax = 3;

export interface StreamConsumer {
  /** What to ask for now: everything after what was taken so far. */
  parameters(): object;
  item(body: unknown, incarnation: string): void;
  /** The stream cannot go on. Nothing follows. */
  ended(error: RollcallError, incarnation: string): void;
}

export class Stream implements Exchange, Waiter {
  readonly method: StreamMethod;
  sentAtMs: number | null = null;
  id = 0;
  readonly #router: Router;
  readonly #consumer: StreamConsumer;
  #running = false;
  #connection: Connection | null = null;
  /** Where it last failed: asked again only if nobody else is there. */
  #avoided: Connection | null = null;
  #attempts = 0;
  #wasServed = false;
  #retry: Timer | null = null;

  constructor(router: Router, method: StreamMethod, consumer: StreamConsumer) {
    this.#router = router;
    this.method = method;
    this.#consumer = consumer;
  }

  get parameters(): object {
    return this.#consumer.parameters();
  }

  /** Starts, or goes on after `stop`; does nothing while running. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#open();
  }

  /** Takes nothing more until `start`; the node is told. Idempotent. */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#router.forget(this);
    this.#retry?.cancel();
    this.#retry = null;
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null || this.id === 0) return;
    const { id, sentAtMs } = this;
    connection.forget(this);
    if (sentAtMs !== null && connection.usable) connection.send(new Word('cancel', { id }));
  }

  /** Tells the node that serves it something about it; nothing while none does. */
  say(method: 'watchProgress'): void {
    const connection = this.#connection;
    if (connection === null || this.id === 0 || !connection.usable) return;
    connection.send(new Word(method, { id: this.id }));
  }

  connectionUsable(): void {
    this.#open();
  }

  item(body: unknown, connection: Connection): void {
    this.#attempts = 0;
    this.#wasServed = true;
    this.#avoided = null;
    this.#consumer.item(body, connection.header.incarnation);
  }

  done(): void {
    // A stream has no result; a node that ends it in good order is left for another.
    this.#resumeLater(this.#connection);
  }

  failed(error: RollcallError, connection: Connection): void {
    this.#connection = null;
    if (!this.#running) return;
    if (mayResume(error) || this.#mayCrowd(error)) {
      this.#resumeLater(connection);
    } else {
      this.#running = false;
      this.#consumer.ended(error, connection.header.incarnation);
    }
  }

  /**
   * Where nodes have no room for a stream, one that was served waits for it, as others may have gone only for
   * a while; a new one asks around and then fails.
   */
  #mayCrowd({ code }: RollcallError): boolean {
    return code === 'tooManyStreams' && (this.#wasServed || this.#attempts < crowdedAttemptsMax);
  }

  #resumeLater(from: Connection | null): void {
    this.#connection = null;
    this.#avoided = from;
    const delayMs = backoffMs(resumeBackoff, this.#attempts++, this.#router.random);
    this.#retry = this.#router.clock.after(delayMs, () => {
      this.#retry = null;
      this.#open();
    });
  }

  #open(): void {
    if (!this.#running || this.#connection !== null) return;
    const connection = this.#router.anyConnection(this.#avoided) ?? this.#router.anyConnection();
    if (connection === null) {
      this.#router.await(this);
      return;
    }
    this.#connection = connection;
    connection.send(this);
  }
}

type WordMethod = 'watchProgress' | 'cancel' | 'permit';

/** Said to the node about a stream of its. Whatever it answers says nothing. */
export class Word implements Exchange {
  readonly method: Method;
  readonly parameters: object;
  sentAtMs: number | null = null;
  id = 0;

  constructor(method: WordMethod, parameters: Parameters<WordMethod>) {
    this.method = method;
    this.parameters = parameters;
  }

  item(): void {
    // Nothing to tell.
  }

  done(): void {
    // Nothing to tell.
  }

  failed(): void {
    // Nothing to tell: the stream had ended before, or its connection.
  }
}
