/**
 * One seed from birth to verdict.
 *
 *     birth      every machine starts, somebody leads
 *     safety     faults strike while clients work; nothing may go wrong
 *     liveness   a majority is healed, all other failures are there to stay: the cluster has to work
 *     end        everything is healed: all nodes come to the same state, and the history is judged
 */

import type { ErrorCode } from '../../src/base/errors.ts';
import type { NodeId } from '../../src/raft/types.ts';
import { History, type Revision } from './checks/history.ts';
import { Chaos } from './faults/chaos.ts';
import { breakForGood, mend } from './faults/lasting.ts';
import { fairWeather } from './network.ts';
import { appliedBy, isUp, type SimNode } from './node.ts';
import type { ProbeName } from './probes.ts';
import { chance, sample, stream } from './random.ts';
import { unsettled } from './settlement.ts';
import { drawSwarm } from './swarm.ts';
import { beginningEvents } from './trace.ts';
import { Appends } from './workload/appends.ts';
import { compact, pickFloor, readBack } from './workload/compaction.ts';
import { Leases, leasedKeys } from './workload/leases.ts';
import { put, putEverywhere, readRegisters, useRegisters } from './workload/registers.ts';
import { Instances } from './workload/registry.ts';
import { Session } from './workload/session.ts';
import { useTransactions } from './workload/transactions.ts';
import { Watcher } from './workload/watchers.ts';
import { World } from './world.ts';

/** Bounds of the promises after healing, in virtual time. */
const firstWriteMsMax = 5000;
const firstReadMsMax = 5000;
const everybodyMsMax = 12_000;
const caughtUpMsMax = 30_000;
const availabilityMs = 1000;
const availabilityMin = 0.99;
/** One that finds out only now that its disk is slow may still hand over. */
const settledElectionsMax = 1;

/** What clients do; each seed deals it out anew. */
const workKinds = [
  'registers',
  'registers',
  'transactions',
  'leases',
  'instances',
  'appends',
] as const;
type WorkKind = (typeof workKinds)[number];

export interface SeedReport {
  readonly seed: number;
  /** Null when all is well. */
  readonly violation: string | null;
  /** Of the trace, and of its beginning. */
  readonly hash: string;
  readonly hashOfBeginning: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly probes: readonly ProbeName[];
  readonly leaderChanges: number;
  readonly acknowledged: number;
}

/** The same seed gives the same report, down to the hash. `write` takes the lines of a readable trace. */
export async function runSeed(
  seed: number,
  write: ((line: string) => void) | null = null,
): Promise<SeedReport> {
  const world = new World(drawSwarm(seed), write);
  const scenario = new Scenario(world);
  try {
    await world.run(() => scenario.play());
  } catch (error) {
    world.violate(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return {
    seed,
    violation: world.violation,
    hash: world.trace.hash,
    hashOfBeginning: world.trace.hashOfBeginning,
    events: world.clock.events,
    virtualMs: world.clock.monotonic(),
    faults: Object.fromEntries(world.faults),
    probes: [...world.probes],
    leaderChanges: world.observer.leaders.changes,
    acknowledged: scenario.history.answered,
  };
}

/** The hash of the beginning of a run: to compare it costs little. */
export async function runBeginning(seed: number): Promise<string> {
  const world = new World(drawSwarm(seed), null);
  await world.run(() => new Scenario(world).play(), beginningEvents);
  return world.trace.hashOfBeginning;
}

class Scenario {
  readonly history = new History();
  readonly #world: World;
  readonly #appends = new Appends();
  readonly #leases: Leases;
  readonly #instances: Instances;
  readonly #sessions: Session[] = [];
  readonly #watchers: Watcher[] = [];
  readonly #work: Promise<void>[] = [];
  #sessionCount = 0;
  /** Follows everything from the first revision on; what it tells is the history to judge by. */
  #chronicle: Watcher | null = null;

  constructor(world: World) {
    this.#world = world;
    this.#leases = new Leases(world);
    this.#instances = new Instances(world);
  }

  async play(): Promise<void> {
    const world = this.#world;
    world.trace.say('world', () => JSON.stringify(world.swarm));
    await world.birth();
    if (!(await world.until(() => world.leader() !== null, 10_000))) {
      world.violate('Nobody leads after birth');
      return;
    }
    world.network.weather = world.swarm.weather;
    await this.#startClients();
    const chaos = new Chaos(world);
    world.trace.say('world', () => `faults: ${chaos.names.join(' ')}`);
    const striking = chaos.run();
    await world.sleep(world.swarm.safetyMs);
    chaos.stop();
    await striking;
    await this.#liveness(chaos);
    await this.#end(chaos);
  }

  get #random() {
    return this.#world.random;
  }

  async #startClients(): Promise<void> {
    const { swarm } = this.#world;
    const kinds = sample(this.#random, workKinds, workKinds.length);
    for (let at = 0; at < swarm.clients; at++) {
      void this.#open().then((session) => {
        this.#work.push(this.#workOf(session, kinds[at % kinds.length] as WorkKind));
        if (chance(session.random, 0.5)) {
          this.#watchers.push(Watcher.begin(session, session.random, 'anywhere'));
        }
      });
    }
    void this.#open().then((session) => this.#work.push(readRegisters(session, false)));
    for (const node of this.#world.nodes) {
      void this.#open(`w${node.name}`, [node.address]).then((session) => {
        this.#watchers.push(Watcher.begin(session, session.random, 'anywhere'));
        this.#instances.follow(session);
        this.#work.push(readRegisters(session, true));
      });
    }
  }

  async #workOf(session: Session, kind: WorkKind): Promise<void> {
    switch (kind) {
      case 'registers':
        await useRegisters(session);
        break;
      case 'transactions':
        await useTransactions(session);
        break;
      case 'leases':
        await this.#leases.use(session);
        break;
      case 'instances':
        await this.#instances.use(session);
        break;
      case 'appends':
        await this.#appends.use(session);
        break;
    }
  }

  #open(name?: string, endpoints?: readonly string[], requestTimeoutMs?: number): Promise<Session> {
    const world = this.#world;
    const who = name ?? `c${++this.#sessionCount}`;
    return Session.open(world, who, {
      history: this.history,
      random: stream(world.swarm.seed, who),
      endpoints: endpoints ?? world.nodes.map(({ address }) => address),
      ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    }).then((session) => {
      this.#sessions.push(session);
      return session;
    });
  }

  /** A majority, and all clients, work without trouble; everything else is broken for good. */
  async #liveness(chaos: Chaos): Promise<void> {
    const world = this.#world;
    world.isHealing = true;
    const broken = this.#dispensable();
    const core = world.voters.filter((node) => !broken.includes(node));
    world.trace.say('world', () => `healed: ${core.map(({ name }) => name).join(' ')}`);
    chaos.endAll();
    world.network.weather = fairWeather;
    const everybody = [...world.nodes, ...this.#sessions].map(({ name }) => name);
    const mends = broken.flatMap((node) =>
      breakForGood(
        world,
        node,
        everybody.filter((party) => party !== node.name),
      ),
    );
    // Changes that were asked for earlier go on: who votes now may be replaced by others before long.
    const healthy = world.nodes.filter((node) => !broken.includes(node));
    for (const node of healthy) mend(world, node);
    const beganMs = world.clock.monotonic();
    const tester = await this.#open(
      'tester',
      healthy.map(({ address }) => address),
      1000,
    );
    const wrote = await this.#retry(() => put(tester, 'r/tester'), beganMs + firstWriteMsMax);
    if (!wrote) {
      world.violate(`No write in ${firstWriteMsMax} ms after a majority was healed`);
      return;
    }
    await this.#checkAvailability(tester);
    await this.#checkProgress(tester, core);
    if (broken.length > 0) world.hit('permanentFailure');
    for (const undo of mends) undo();
  }

  /**
   * As many voters as the cluster can be without, at random. Those whose disks are damaged are among them:
   * what is lost there is not lost for good only as long as the others are there.
   */
  #dispensable(): readonly SimNode[] {
    const world = this.#world;
    const { voters, survival, damages } = world;
    const ids: NodeId[] = [];
    // Rather who leads: to be without a follower is less of a loss.
    const leader = chance(this.#random, 0.4) ? world.leader() : null;
    const others = sample(this.#random, voters, voters.length).filter((node) => node !== leader);
    for (const { id } of leader === null ? others : [leader, ...others]) {
      if (id !== null && survival.without(...ids, id)) ids.push(id);
    }
    return voters.filter((node) => damages.isHurt(node) || ids.includes(node.id ?? ''));
  }

  /** With a minority broken, nearly everything is answered, and nobody disturbs who leads. */
  async #checkAvailability(tester: Session): Promise<void> {
    const world = this.#world;
    const endMs = world.clock.monotonic() + availabilityMs;
    const before = world.observer.leaders.disturbances;
    let tried = 0;
    let done = 0;
    while (world.clock.monotonic() < endMs) {
      const refusal = await put(tester, 'r/tester');
      // To be asked to slow down, or to wait for room, is no failure; whether that ends is seen elsewhere.
      if (refusal !== 'tooManyRequests' && refusal !== 'noSpace') tried++;
      if (refusal === null) done++;
      await world.sleep(5);
    }
    if (done < tried * availabilityMin - 1) {
      world.violate(`Only ${done} of ${tried} writes succeeded with a healthy majority`);
    }
    const elections = world.observer.leaders.disturbances - before;
    if (elections > settledElectionsMax) {
      world.violate(`${elections} elections within ${availabilityMs} ms of a healthy majority`);
    }
  }

  /** Every client gets something done, and every healthy node keeps up. */
  async #checkProgress(tester: Session, core: readonly SimNode[]): Promise<void> {
    const world = this.#world;
    const endMs = world.clock.monotonic() + everybodyMsMax;
    const waiting = this.#sessions.filter(({ name }) => name.startsWith('c'));
    const done = await Promise.all(
      waiting.map((session) => this.#retry(() => put(session, 'r/progress'), endMs)),
    );
    const stuck = waiting.filter((_, at) => !done[at]);
    if (stuck.length > 0) {
      world.violate(`${stuck.map(({ name }) => name).join(' ')} got no write done`);
    }
    if (!(await this.#instances.admits(tester, everybodyMsMax))) {
      world.violate('Nobody can be registered, with a healthy majority');
    }
    const target = world.observer.commitIndex;
    const caughtUp = await world.until(
      () => core.every((node) => appliedBy(node) >= target || !world.voters.includes(node)),
      everybodyMsMax,
    );
    if (!caughtUp) world.violate(`Not all of the majority have applied ${target}`);
    tester.stop();
  }

  /** Everything is healed, and the clients finish what they are at. */
  async #end(chaos: Chaos): Promise<void> {
    const world = this.#world;
    if (world.violation !== null) return;
    chaos.endAll();
    for (const node of world.nodes) {
      // Those that it was told of may be gone by now, and damage that nobody has come across is looked for.
      const isWaiting = isUp(node) && node.life?.member === null;
      if (isWaiting || world.damages.isHurt(node)) world.crash(node, 'kill');
      mend(world, node);
    }
    for (const session of this.#sessions) session.stop();
    world.trace.say('world', () => 'everything is healed');
    const archivist = await this.#open('archivist', undefined, 5000);
    this.#chronicle = Watcher.begin(archivist, archivist.random, 'start');
    await Promise.all(this.#work);
    await this.#expire(archivist);
    if (!(await this.#converge(archivist))) return;
    this.#judge();
    if (world.violation === null && chance(this.#random, 0.5)) await this.#compact(archivist);
  }

  /** All that is known of the history is known by now. */
  async #compact(archivist: Session): Promise<void> {
    const world = this.#world;
    const history = this.#chronicle?.revisions ?? [];
    const last = history.at(-1)?.revision ?? 0;
    const floor = pickFloor(archivist, last);
    if (!(await compact(archivist, floor))) return;
    for (const node of sample(this.#random, world.nodes.filter(isUp), 1)) {
      world.crash(node, 'kill');
      world.restartLater(node, 50);
    }
    if (!(await world.until(() => unsettled(world) === null, caughtUpMsMax))) {
      world.violate(`After a compaction ${unsettled(world)}`);
      return;
    }
    for (const { id, name, address } of world.nodes) {
      if (!world.observer.configuration.members.some((member) => member.id === id)) continue;
      const reader = await this.#open(`z${name}`, [address], 5000);
      const watcher = Watcher.begin(reader, reader.random, floor);
      const wrong = await readBack(reader, history, floor);
      if (wrong !== null) world.violate(wrong);
      await world.until(() => watcher.isAt(last), caughtUpMsMax);
      const missed = watcher.check(history, last);
      if (missed !== null) world.violate(missed);
    }
  }

  /**
   * Long enough for every lease that nobody keeps to end, by the slowest of clocks. No client writes
   * meanwhile, so that the cluster has to do by itself what is usually done along with a write.
   */
  async #expire(archivist: Session): Promise<void> {
    const world = this.#world;
    // A new leader goes on with the time that is left, whatever its own clock says.
    this.#replaceLeader();
    await world.sleep(this.#leases.longestTtlMs * (1 + 3 * world.swarm.drift) + 1400);
    this.#replaceLeader();
    const endMs = world.clock.monotonic() + firstReadMsMax;
    let left = await leasedKeys(archivist);
    while (left === null && world.clock.monotonic() < endMs) left = await leasedKeys(archivist);
    if (left === null) world.violate(`No read in ${firstReadMsMax} ms in a quiet cluster`);
    else if (left.length > 0) world.violate(`${left.join(' ')}: still there without its lease`);
  }

  #replaceLeader(): void {
    const world = this.#world;
    const leader = world.leader();
    if (leader === null) return;
    world.crash(leader, 'kill');
    world.restartLater(leader, 100);
  }

  async #converge(archivist: Session): Promise<boolean> {
    const world = this.#world;
    const last = await this.#sentinel(archivist);
    const watchers = [...this.#watchers, this.#chronicle].filter((one) => one !== null);
    if (!(await world.until(() => unsettled(world) === null, caughtUpMsMax))) {
      world.violate(`In the end ${unsettled(world)}`);
      return false;
    }
    const told = await world.until(() => watchers.every((one) => one.isAt(last)), caughtUpMsMax);
    if (!told) {
      const late = watchers.find((one) => !one.isAt(last));
      world.violate(`The watch of ${late?.name} is at ${late?.last}, of ${last}`);
      return false;
    }
    let disagreement: string | null = null;
    for (let tries = 0; tries < 100; tries++) {
      disagreement = await this.#instances.agree(archivist);
      if (disagreement === null) return true;
      await world.sleep(50);
    }
    world.violate(disagreement ?? '');
    return false;
  }

  /** A last revision that every watch can see. */
  async #sentinel(archivist: Session): Promise<number> {
    for (;;) {
      const revision = await putEverywhere(archivist);
      if (revision !== null) return revision;
      await this.#world.sleep(50);
    }
  }

  #judge(): void {
    const world = this.#world;
    const revisions: readonly Revision[] = this.#chronicle?.revisions ?? [];
    const last = revisions.at(-1)?.revision ?? 0;
    for (const watcher of this.#watchers) {
      const wrong = watcher.check(revisions, last);
      if (wrong !== null) world.violate(wrong);
    }
    const { wrong, happened, didNot, staleReads } = this.history.check(revisions);
    if (wrong !== null) world.violate(wrong);
    if (happened > 0) world.hit('unknownHappened');
    if (didNot > 0) world.hit('unknownDidNot');
    if (staleReads > 0) world.hit('staleSerializable');
    const stranger = world.operator.check();
    if (stranger !== null) world.violate(stranger);
    const repeated = this.#appends.check(revisions);
    if (repeated !== null) world.violate(repeated);
    const early = this.#leases.check(revisions, true);
    if (early !== null) world.violate(early);
  }

  async #retry(attempt: () => Promise<ErrorCode | null>, untilMs: number): Promise<boolean> {
    const world = this.#world;
    do {
      if ((await attempt()) === null) return true;
      await world.sleep(20);
    } while (world.clock.monotonic() < untilMs);
    return false;
  }
}
