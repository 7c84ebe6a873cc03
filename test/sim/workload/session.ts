/** A client of the world: the SDK as shipped, on simulated sockets, with a record of what it did. */
import type { Clock } from '../../../src/base/clock.ts';
import { RollcallError } from '../../../src/base/errors.ts';
import type { Random } from '../../../src/base/prng.ts';
import { type Client, connectThrough } from '../../../src/client/client.ts';
import type { KeyValue } from '../../../src/client/key-value.ts';
import type { Answer, History, Intent, Pair } from '../checks/history.ts';
import { clientClock } from '../client-clock.ts';
import type { Party } from '../network.ts';
import { chance, exponential } from '../random.ts';
import type { World } from '../world.ts';

export class Session {
  readonly name: string;
  readonly world: World;
  readonly client: Client;
  readonly random: Random;
  readonly clock: Clock;
  readonly #history: History;
  #marks = 0;
  #isStopped = false;
  /** Ends every wait. */
  readonly #wakes = new Set<() => void>();
  /** The only machine that it ever asks; null when it follows the members wherever they go. */
  readonly #home: Party | null;

  private constructor(
    world: World,
    name: string,
    client: Client,
    clock: Clock,
    random: Random,
    history: History,
    home: Party | null,
  ) {
    this.world = world;
    this.name = name;
    this.client = client;
    this.clock = clock;
    this.random = random;
    this.#history = history;
    this.#home = home;
  }

  /** False for one whose only node does not belong to the cluster. */
  get isServed(): boolean {
    const { observer } = this.world;
    const { members } = observer.configuration;
    return (
      this.#home === null || members.some(({ id }) => this.world.machineOf(id)?.name === this.#home)
    );
  }

  /** Connects, however long that takes. */
  static async open(
    world: World,
    name: string,
    options: {
      readonly history: History;
      readonly random: Random;
      /** One: it stays with that node, whatever others it hears of. */
      readonly endpoints: readonly string[];
      readonly requestTimeoutMs?: number;
    },
  ): Promise<Session> {
    const { history, random, endpoints } = options;
    const clock = clientClock(world, random);
    const dial = world.sockets.dialer(name, clock);
    const requestTimeoutMs = options.requestTimeoutMs ?? world.swarm.requestTimeoutMs;
    // Without one a write in doubt is reported; with one it is sent again, and done once.
    const sessions = chance(random, 0.5);
    for (;;) {
      try {
        const client = await connectThrough(
          { clock, random, dial },
          { endpoints, requestTimeoutMs, learnEndpoints: endpoints.length > 1, sessions },
        );
        const home = endpoints.length > 1 ? null : (endpoints[0]?.split(':')[0] ?? null);
        return new Session(world, name, client, clock, random, history, home);
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        await world.sleep(50);
      }
    }
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** It is to come to an end with what it does, and waits for nothing more. */
  stop(): void {
    this.#isStopped = true;
    for (const wake of this.#wakes) wake();
  }

  /** Shorter once it is to stop. */
  sleep(ms: number): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#wakes.delete(wake);
        resolve();
      };
      const timer = this.world.clock.after(ms, wake);
      this.#wakes.add(wake);
    });
  }

  /** A value that nobody else ever writes. */
  mark(): string {
    return `${this.name}.${++this.#marks}`;
  }

  /** Nothing gets from here to any node, or back. Returns the way to mend it. */
  cutOff(): () => void {
    const { network, nodes } = this.world;
    const mends = nodes.flatMap(({ name }) => [
      network.cut(this.name, name),
      network.cut(name, this.name),
    ]);
    return () => {
      for (const mend of mends) mend();
    };
  }

  think(): Promise<void> {
    return this.sleep(exponential(this.random, this.world.swarm.thinkMs));
  }

  /** Runs one operation and records it. An error of the cluster is part of the record. */
  async perform(
    intent: Partial<Pick<Intent, 'marks' | 'deletes' | 'serializable'>> & { readonly text: string },
    action: () => Promise<Answer>,
  ): Promise<Answer | RollcallError> {
    const { world, name } = this;
    const end = this.#history.begin(
      {
        marks: [],
        deletes: [],
        serializable: false,
        ...intent,
        client: name,
        floor: this.client.revision,
      },
      world.clock.monotonic(),
    );
    world.trace.say(name, () => `${intent.text} …`);
    try {
      const answer = await action();
      end({ type: 'answered', answer }, world.clock.monotonic());
      world.trace.mix(answer.revision);
      world.trace.say(name, () => `${intent.text}: revision ${answer.revision}`);
      return answer;
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      this.#failed(intent.text, error);
      const { code, definite } = error;
      end({ type: definite ? 'failed' : 'unknown', code }, world.clock.monotonic());
      return error;
    }
  }

  #failed(text: string, error: RollcallError): void {
    const { world } = this;
    world.trace.say(this.name, () => `${text}: ${error.code}, definite ${error.definite}`);
    if (error.definite) world.hit('definiteFailure');
    if (error.code === 'timeout') world.hit('timedOut');
    if (error.code === 'connectionLost') world.hit('connectionLost');
    if (error.code === 'leaseNotFound') world.hit('leaseMissing');
    if (error.code === 'noSpace') world.hit('noSpace');
    const expected: ReadonlySet<string> = new Set([
      'timeout',
      'connectionLost',
      'leadershipLost',
      'noLeader',
      'notLeader',
      'behind',
      'unreachable',
      'sessionExpired',
      'leaseNotFound',
      'leaseExists',
      'instanceNotFound',
      'removed',
      'notBorn',
      'closed',
      'storageFailed',
      'tooManyRequests',
      'noSpace',
      // Whoever repairs itself belongs to nobody meanwhile.
      'notBorn',
    ]);
    if (!expected.has(error.code)) {
      world.violate(`${this.name}: ${text} failed with ${error.code}: ${error.message}`);
    }
  }
}

export function pairOf(pair: KeyValue): Pair {
  const { valueText, createRevision, modRevision, version, leaseId } = pair;
  return { value: valueText, createRevision, modRevision, version, leaseId };
}

export function pairOrNull(pair: KeyValue | null | undefined): Pair | null {
  return pair == null ? null : pairOf(pair);
}
