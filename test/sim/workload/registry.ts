/** Instances that register, live and leave, and views that follow them from every node. */
import { RollcallError } from '../../../src/base/errors.ts';
import { randomBelow } from '../../../src/base/prng.ts';
import type { Registration } from '../../../src/client/registration.ts';
import type { ServiceView } from '../../../src/client/service-view.ts';
import { between, chance } from '../random.ts';
import type { World } from '../world.ts';
import type { Session } from './session.ts';

const service = 'api';

export class Instances {
  readonly #world: World;
  /** What any view said of the service at a revision. */
  readonly #known = new Map<number, string>();
  readonly #views: { readonly session: Session; readonly view: ServiceView }[] = [];
  /** Registered for sure and not taken back. */
  readonly #present = new Set<string>();
  /** When each was known to be deregistered, in true time. */
  readonly #goneAtMs = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** One after the other, each under a new name. */
  async use(session: Session): Promise<void> {
    const { world, random } = session;
    for (let count = 1; !session.isStopped; count++) {
      const id = `${session.name}-${count}`;
      const stop = new AbortController();
      const giveUp = world.clock.after(4000, () => stop.abort());
      const options = { service, id, address: `${session.name}:1`, signal: stop.signal };
      const ttlMs = 500 + randomBelow(random, 700);
      const register = (): Promise<Registration | null> =>
        session.client.registry.register({ ...options, ttlMs }).catch(nullIfExpected);
      const first = await register();
      // The same id once more, as by a process that takes the place of one which then is late to leave.
      // Where older programs are, a first one that comes back may take the successor's place.
      const mayReplace = chance(random, 0.4) && world.swarm.older === 0;
      const isReplaced = first !== null && mayReplace;
      const registration = isReplaced ? await register() : first;
      giveUp.cancel();
      if (isReplaced) await first.deregister().catch(nullIfExpected);
      // A successor that gave up may have taken the place all the same.
      if (registration === null) continue;
      registration.on('restored', () => world.hit('instanceRestored'));
      registration.on('ended', (end) => {
        if (end === 'deregistered') world.violate(`${id} was taken out, though nobody did that`);
      });
      this.#present.add(id);
      world.trace.say(session.name, () => `registered ${id}`);
      if (chance(random, 0.4)) await loseAndReturn(session, ttlMs);
      else await session.sleep(between(random, 200, 5000));
      // What is not taken back stays until the end.
      if (session.isStopped) return;
      this.#present.delete(id);
      const isGone = await registration.deregister().then(
        () => true,
        () => false,
      );
      if (isGone) this.#goneAtMs.set(id, world.clock.monotonic());
      await session.think();
    }
  }

  follow(session: Session): void {
    const view = session.client.registry.discover(service);
    this.#views.push({ session, view });
    view.on('change', ({ revision, added, removed }) => {
      for (const { id } of added) this.#appeared(session.name, id, revision);
      if (removed.some(({ reason }) => reason === 'expired')) this.#world.hit('instanceExpired');
      this.#saw(session.name, revision, view);
    });
  }

  /** Whether an instance gets into the registry in time. It leaves again at once. */
  async admits(session: Session, withinMs: number): Promise<boolean> {
    const { name, world, client } = session;
    const stop = new AbortController();
    const giveUp = world.clock.after(withinMs, () => stop.abort());
    const options = { service, id: name, address: `${name}:1`, ttlMs: 1000, signal: stop.signal };
    const registration = await client.registry.register(options).catch(nullIfExpected);
    giveUp.cancel();
    await registration?.deregister().catch(nullIfExpected);
    return registration !== null;
  }

  /** Whether every view tells what the registry holds. */
  async agree(session: Session): Promise<string | null> {
    const { revision, instances } = await session.client.registry.snapshot(service);
    const truth = instances.map(({ id }) => id).sort();
    for (const id of this.#present) {
      if (!truth.includes(id)) return `${id} is registered, but not in the registry at ${revision}`;
    }
    for (const id of truth) {
      if (this.#goneAtMs.has(id))
        return `${id} was deregistered, but is in the registry at ${revision}`;
    }
    for (const { session: owner, view } of this.#views) {
      const told = idsOf(view);
      if (!owner.isServed) continue;
      if (told !== truth.join()) return `${owner.name} sees ${told} instead of ${truth.join()}`;
    }
    return null;
  }

  /** What was deregistered stays away, also until its lease would have ended. */
  #appeared(who: string, id: string, revision: number): void {
    const goneAtMs = this.#goneAtMs.get(id) ?? Number.POSITIVE_INFINITY;
    const atMs = this.#world.observer.revisionTimes.ms(revision);
    if (atMs <= goneAtMs) return;
    const times = `${atMs.toFixed(1)} ms, after it was deregistered at ${goneAtMs.toFixed(1)} ms`;
    this.#world.violate(`${who} sees ${id} at ${revision} of ${times}`);
  }

  #saw(who: string, revision: number, view: ServiceView): void {
    const ids = idsOf(view);
    const known = this.#known.get(revision);
    if (known === undefined) this.#known.set(revision, ids);
    else if (known !== ids) {
      this.#world.violate(`${who} sees ${ids} at ${revision}, another one saw ${known}`);
    }
  }
}

/** Out of reach until its lease has ended, or nearly; what happens then races with what follows. */
async function loseAndReturn(session: Session, ttlMs: number): Promise<void> {
  const { random } = session;
  const mend = session.cutOff();
  await session.sleep(ttlMs * between(random, 0.8, 1.6));
  mend();
  await session.sleep(between(random, 0, 300));
}

function idsOf(view: ServiceView): string {
  return view
    .instances()
    .map(({ id }) => id)
    .sort()
    .join();
}

function nullIfExpected(error: unknown): null {
  if (error instanceof RollcallError) return null;
  throw error;
}
