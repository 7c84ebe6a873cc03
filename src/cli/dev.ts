/**
 * `rollcall dev`: a whole cluster on this machine, each node a process of its own. It waits for a
 * leader, shows where everything is, starts again what dies, and stops all in order on Ctrl-C.
 */
import { Command } from 'commander';
import { RollcallError } from '../base/errors.ts';
import { endpointStatuses } from '../client/index.ts';
import { prepareDirectory } from './dev-directory.ts';
import { DevNode, type NodeEvent } from './dev-node.ts';
import { type PlannedNode, planNodes } from './dev-plan.ts';
import { checkPorts } from './dev-ports.ts';
import { devDocument, devText, leaderOf, type NodeView } from './dev-table.ts';
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
const statusMsMax = 1_000;
const pollMs = 100;
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
  await checkPorts(plans);
  await prepareDirectory(options, given.fresh);
  await new DevCluster(terminal, plans, given.json).run();
}

class DevCluster {
  readonly #terminal: Terminal;
  readonly #nodes: readonly DevNode[];
  readonly #isJson: boolean;
  readonly #stopped: Promise<void>;
  #resolveStopped: () => void = () => {};
  #stopAskedMs: number | null = null;
  /** Set while the cluster comes up: until then a node that dies ends the whole attempt. */
  #startFailure: RollcallError | null = null;
  #isUp = false;
  /** The newest term whose leader the user was told. */
  #term = 0;

  constructor(terminal: Terminal, plans: readonly PlannedNode[], isJson: boolean) {
    this.#terminal = terminal;
    this.#nodes = plans.map((plan) => new DevNode(plan, (node, event) => this.#heard(node, event)));
    this.#isJson = isJson;
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** Resolves when a signal has ended it; rejects, with nothing left running, when it does not come up. */
  async run(): Promise<void> {
    const stopListening = this.#terminal.onSignal(() => this.#askToStop());
    try {
      for (const node of this.#nodes) node.start();
      const views = await this.#untilUp();
      if (views !== null) {
        this.#isUp = true;
        this.#term = leaderOf(views)?.status?.term ?? 0;
        this.#terminal.print(this.#isJson ? jsonLine(devDocument(views)) : devText(views));
        await this.#stopped;
      }
    } finally {
      await this.#stopAll();
      stopListening();
    }
    if (this.#nodes.every(({ isGivenUp }) => isGivenUp)) {
      throw new RollcallError('unreachable', 'No node stays up');
    }
  }

  /** What all nodes say once they all answer and one leads; null when a signal came first. */
  async #untilUp(): Promise<readonly NodeView[] | null> {
    const deadline = performance.now() + leaderMsMax;
    while (this.#stopAskedMs === null) {
      if (this.#startFailure !== null) throw this.#startFailure;
      const views = await this.#views();
      if (views.every(({ status }) => status !== null) && leaderOf(views) !== null) return views;
      if (performance.now() > deadline) {
        const silent = views.filter(({ status }) => status === null).map(({ plan }) => plan.name);
        const reason = silent.length > 0 ? `; no answer from ${silent.join(', ')}` : '';
        const logs = this.#nodes.map(({ plan }) => plan.logPath).join(', ');
        const message = `No leader within ${leaderMsMax / 1000} s${reason}; see ${logs}`;
        throw new RollcallError('noLeader', message);
      }
      await delay(pollMs);
    }
    return null;
  }

  async #views(): Promise<readonly NodeView[]> {
    const endpoints = this.#nodes.map(({ plan }) => plan.endpoint);
    const statuses = await endpointStatuses(endpoints, statusMsMax);
    return this.#nodes.map(({ plan, pid }, index) => ({
      plan,
      pid,
      status: statuses[index]?.status ?? null,
    }));
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
        void this.#sayLeader();
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

  /** Says who leads now that a node has died, once one does, unless it is the same as before. */
  async #sayLeader(): Promise<void> {
    const deadline = performance.now() + leaderMsMax;
    while (this.#stopAskedMs === null && performance.now() < deadline) {
      const leader = leaderOf(await this.#views());
      if (leader !== null) {
        const term = leader.status?.term ?? 0;
        if (term !== this.#term) this.#say(`${leader.plan.name} leads in term ${term}`);
        this.#term = term;
        return;
      }
      await delay(pollMs);
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
    const leader = this.#isUp ? leaderOf(await this.#views()) : null;
    const isLeader = (node: DevNode) => node.plan === leader?.plan;
    for (const node of this.#nodes) if (!isLeader(node)) await node.stop();
    for (const node of this.#nodes) if (isLeader(node)) await node.stop();
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
