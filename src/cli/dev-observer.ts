/** What the nodes of `rollcall dev` say of themselves, by a light socket to each, and what of it is news. */
import { RollcallError } from '../base/errors.ts';
import { Connection } from '../client/connection.ts';
import { realOutside } from '../client/outside.ts';
import type { NodeStatus } from '../wire/results.ts';
import type { DevNode } from './dev-node.ts';
import { isUnborn, leaderOf, type NodeView, unbornNote } from './dev-table.ts';

const lookMs = 250;
/** Every node pushes its status each second: one that is silent for this long hangs. */
const silentMsMax = 3_000;
/** Elections are over in less; what lasts longer is worth a line. */
const leaderlessMsMax = 3_000;
/** A node that starts says for a moment that it is unborn, until it has read its state. */
const unbornMsMax = 3_000;
const backoff = { minMs: 50, maxMs: 500 };

interface Observed {
  readonly node: DevNode;
  readonly connection: Connection;
  status: NodeStatus | null;
  /** When it last said something, or was started. */
  heardMs: number;
  isSilent: boolean;
  unbornSinceMs: number | null;
  /** Whether the user was told that it has no part in the cluster. */
  isUnbornTold: boolean;
}

export class DevObserver {
  readonly #observed: readonly Observed[];
  readonly #say: (line: string) => void;
  #timer: NodeJS.Timeout | null = null;
  #lookedMs = 0;
  #isAnnouncing = false;
  /** The newest term whose leader the user was told. */
  #term = 0;
  #ledMs = 0;
  #isLeaderlessTold = false;

  /** Nothing is said before `announce`. */
  constructor(nodes: readonly DevNode[], say: (line: string) => void) {
    this.#say = say;
    this.#observed = nodes.map((node) => {
      const observed: Observed = {
        node,
        connection: new Connection(
          node.plan.endpoint,
          {
            status: (_, status) => this.#heard(observed, status),
            heard: () => {},
            lost: () => {
              observed.status = null;
              observed.unbornSinceMs = null;
            },
          },
          backoff,
          realOutside,
        ),
        status: null,
        heardMs: 0,
        isSilent: false,
        unbornSinceMs: null,
        isUnbornTold: false,
      };
      return observed;
    });
  }

  /** The present state; a node that does not answer has no status. */
  get views(): readonly NodeView[] {
    return this.#observed.map(({ node: { plan, pid }, status }) => ({ plan, pid, status }));
  }

  start(): void {
    this.#lookedMs = performance.now();
    for (const observed of this.#observed) {
      observed.heardMs = this.#lookedMs;
      observed.connection.dial();
    }
    this.#timer = setInterval(() => this.#look(), lookMs);
  }

  /** From now on it says what changes against the views that the user was shown. */
  announce(shown: readonly NodeView[]): void {
    this.#isAnnouncing = true;
    this.#term = leaderOf(shown)?.status?.term ?? 0;
    this.#ledMs = performance.now();
    for (const [index, observed] of this.#observed.entries()) {
      observed.isUnbornTold = isUnborn(shown[index]?.status ?? null);
    }
  }

  close(): void {
    this.#isAnnouncing = false;
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const { connection } of this.#observed) {
      connection.close(new RollcallError('closed', 'Nothing is observed any more'));
    }
  }

  #heard(observed: Observed, status: NodeStatus): void {
    observed.status = status;
    observed.heardMs = performance.now();
    if (isUnborn(status)) observed.unbornSinceMs ??= observed.heardMs;
    else {
      observed.unbornSinceMs = null;
      observed.isUnbornTold = false;
    }
    if (!this.#isAnnouncing) return;
    if (observed.isSilent) this.#say(`${observed.node.plan.name} answers again`);
    observed.isSilent = false;
    this.#lookForLeader(observed.heardMs);
  }

  #look(): void {
    const nowMs = performance.now();
    // This process did not run: the silence is its own.
    const isExcused = nowMs - this.#lookedMs > silentMsMax / 2;
    this.#lookedMs = nowMs;
    for (const observed of this.#observed) {
      // That a process has ended is told by whoever starts it again.
      if (observed.node.pid === null) observed.isSilent = false;
      if (observed.node.pid === null || isExcused) observed.heardMs = nowMs;
      if (nowMs - observed.heardMs > silentMsMax) observed.status = null;
      if (this.#isAnnouncing) this.#announce(observed, nowMs);
    }
    if (this.#isAnnouncing) this.#lookForLeader(nowMs);
  }

  #announce(observed: Observed, nowMs: number): void {
    const { plan } = observed.node;
    if (nowMs - observed.heardMs > silentMsMax && !observed.isSilent) {
      observed.isSilent = true;
      this.#say(`${plan.name} does not answer`);
    }
    const { unbornSinceMs, isUnbornTold } = observed;
    if (unbornSinceMs === null || isUnbornTold || nowMs - unbornSinceMs <= unbornMsMax) return;
    observed.isUnbornTold = true;
    this.#say(unbornNote(plan));
  }

  #lookForLeader(nowMs: number): void {
    const leader = leaderOf(this.views);
    if (leader === null) {
      if (this.#isLeaderlessTold || nowMs - this.#ledMs <= leaderlessMsMax) return;
      this.#isLeaderlessTold = true;
      this.#say('No node leads');
      return;
    }
    this.#ledMs = nowMs;
    const term = leader.status?.term ?? 0;
    // One that leads in an older term has been asleep and is about to hear of the newer one.
    if (term < this.#term || (term === this.#term && !this.#isLeaderlessTold)) return;
    this.#term = term;
    this.#isLeaderlessTold = false;
    this.#say(`${leader.plan.name} leads (term ${term})`);
  }
}
