/**
 * `rollcall dev`: a whole cluster on this machine, each node a process of its own. It waits for a
 * leader, shows where everything is, starts again what dies, and stops all in order on Ctrl-C.
 */
import { Command } from 'commander';
import { RollcallError } from '../base/errors.ts';
import { DevDirectory } from './dev-directory.ts';
import { DevNode, type NodeEvent } from './dev-node.ts';
import { DevObserver } from './dev-observer.ts';
import { onParentEnd } from './dev-parent.ts';
import { type PlannedNode, planNodes } from './dev-plan.ts';
import { checkPorts } from './dev-ports.ts';
import { devDocument, devText, isUnborn, leaderOf, type NodeView } from './dev-table.ts';
import { jsonLine } from './json.ts';
import { examples, type Run } from './session.ts';
import type { Terminal } from './terminal.ts';

interface Given {
  readonly nodes: string;
  readonly port: string;
  readonly dataDir: string;
  readonly fresh: boolean;
  readonly json: boolean;
}

const leaderMsMax = 30_000;
/** A node that has no part in the cluster yet once one leads gets it within this time, or not at all. */
const bornMsMax = 3_000;
const pollMs = 50;
/** npm passes Ctrl-C on to a process that the terminal has already told: within this it is the same one. */
const sameSignalMs = 500;

export function devCommand(run: Run): Command {
  return new Command('dev')
    .description('start a cluster on this machine and keep it running until Ctrl-C')
    .option('--nodes <count>', 'how many nodes: 1, 3 or 5', '3')
    .option('--port <port>', 'client port of the first node; the next ones are 10 apart', '4640')
    .option('--data-dir <directory>', 'where the nodes keep their data and logs', '.rollcall')
    .option('--fresh', 'delete what an earlier run has stored there', false)
    .option('--json', 'print where everything is as one JSON document', false)
    .addHelpText(
      'after',
      examples('dev', 'dev --fresh', 'dev --nodes 5 --port 5000 --data-dir five'),
    )
    .action((given: Given) => runDev(run.terminal, given));
}

async function runDev(terminal: Terminal, given: Given): Promise<void> {
  const options = {
    nodes: Number(given.nodes),
    port: Number(given.port),
    dataDirectory: given.dataDir,
  };
  const plans = planNodes(options);
  const directory = await DevDirectory.open(options);
  try {
    await checkPorts(plans);
    await directory.prepare(given.fresh);
    await new DevCluster(terminal, plans, given.json).run();
  } finally {
    await directory.release();
  }
}

class DevCluster {
  readonly #terminal: Terminal;
  readonly #nodes: readonly DevNode[];
  readonly #observer: DevObserver;
  readonly #isJson: boolean;
  readonly #stopped: Promise<void>;
  #resolveStopped: () => void = () => {};
  #stopAskedMs: number | null = null;
  /** Set while the cluster comes up: until then a node that dies ends the whole attempt. */
  #startFailure: RollcallError | null = null;
  #isUp = false;

  constructor(terminal: Terminal, plans: readonly PlannedNode[], isJson: boolean) {
    this.#terminal = terminal;
    this.#nodes = plans.map((plan) => new DevNode(plan, (node, event) => this.#heard(node, event)));
    this.#observer = new DevObserver(this.#nodes, (line) => this.#say(line));
    this.#isJson = isJson;
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** Resolves when a signal has ended it; rejects, with nothing left running, when it does not come up. */
  async run(): Promise<void> {
    const stopListening = this.#terminal.onSignal(() => this.#askToStop());
    const stopLooking = onParentEnd(process.env, () => {
      if (this.#stopAskedMs === null) this.#askToStop();
    });
    try {
      for (const node of this.#nodes) node.start();
      this.#observer.start();
      const views = await this.#untilUp();
      if (views !== null) {
        this.#isUp = true;
        this.#terminal.print(this.#isJson ? jsonLine(devDocument(views)) : devText(views));
        this.#observer.announce(views);
        await this.#stopped;
      }
    } finally {
      await this.#stopAll();
      stopLooking();
      stopListening();
    }
    if (this.#nodes.every(({ isGivenUp }) => isGivenUp)) {
      throw new RollcallError('unreachable', 'No node stays up');
    }
  }

  /** What all nodes say once they all answer and one leads; null when a signal came first. */
  async #untilUp(): Promise<readonly NodeView[] | null> {
    const startMs = performance.now();
    let ledMs: number | null = null;
    while (this.#stopAskedMs === null) {
      if (this.#startFailure !== null) throw this.#startFailure;
      const { views } = this.#observer;
      const nowMs = performance.now();
      if (views.every(({ status }) => status !== null) && leaderOf(views) !== null) {
        ledMs ??= nowMs;
        const isComplete = !views.some(({ status }) => isUnborn(status));
        if (isComplete || nowMs - ledMs > bornMsMax) return views;
      } else if (nowMs - startMs > leaderMsMax) {
        throw notUp(views);
      }
      await delay(pollMs);
    }
    return null;
  }

  #heard(node: DevNode, event: NodeEvent): void {
    const { name, logPath } = node.plan;
    if (!this.#isUp) {
      if (event.type === 'restarted') return;
      this.#startFailure ??= node.failure(event.how);
      node.kill();
      return;
    }
    switch (event.type) {
      case 'died':
        this.#say(`${name} ended with ${event.how}; log: ${logPath}; starting it again in 1 s`);
        return;
      case 'restarted':
        this.#say(`${name} is started again (pid ${node.pid})`);
        return;
      case 'givenUp':
        this.#say(
          `${name} failed again and again, last with ${event.how}; given up; log: ${logPath}`,
        );
        if (this.#nodes.every(({ isGivenUp }) => isGivenUp)) this.#resolveStopped();
    }
  }

  #say(line: string): void {
    this.#terminal.warn(`${line}\n`);
  }

  #askToStop(): void {
    const nowMs = performance.now();
    if (this.#stopAskedMs === null) {
      this.#stopAskedMs = nowMs;
      this.#say('Stopping … (Ctrl-C again kills)');
      this.#resolveStopped();
    } else if (nowMs - this.#stopAskedMs > sameSignalMs) {
      for (const node of this.#nodes) node.kill();
    }
  }

  /** One after the other, the leader last: so each that stops has a leader to the end. */
  async #stopAll(): Promise<void> {
    const leader = leaderOf(this.#observer.views);
    this.#observer.close();
    const isLeader = (node: DevNode) => node.plan === leader?.plan;
    for (const node of this.#nodes) if (!isLeader(node)) await node.stop();
    for (const node of this.#nodes) if (isLeader(node)) await node.stop();
  }
}

function notUp(views: readonly NodeView[]): RollcallError {
  const silent = views.filter(({ status }) => status === null).map(({ plan }) => plan.name);
  const reason = silent.length > 0 ? `; no answer from ${silent.join(', ')}` : '';
  const logs = views.map(({ plan }) => plan.logPath).join(', ');
  const message = `No leader within ${leaderMsMax / 1000} s${reason}; see ${logs}`;
  return new RollcallError('noLeader', message);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
