/**
 * One node's connection to another one: dialed, shaken hands on, lost and dialed again. What the two may
 * do with each other they judge as shipped (`src/transport/hello.ts`); the lanes of a shipped link are one
 * here, and it has no bytes of its own: messages travel as datagrams while it is open.
 *
 *     waiting ──► dialing ──► open      both are members of one cluster
 *        ▲           │  └───► greeted   one of the two is not born, or opens its member
 *        └───────────┴────────── lost, refused or silent: back off, then again
 */
import type { Timer } from '../../src/base/clock.ts';
import type { RollcallError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/prng.ts';
import type { Birth } from '../../src/format/identity.ts';
import type { EntryId, Index, NodeId } from '../../src/format/types.ts';
import { type Hello, lossOf, removalIndexOf, type Verdict } from '../../src/transport/hello.ts';
import type { Target } from '../../src/transport/outgoing-lane.ts';
import type { Party } from './network.ts';
import type { NodeClock } from './node-clock.ts';

/** What comes back on a dial. */
export interface Answer {
  readonly hello: Hello;
  readonly refusal: RollcallError | null;
  readonly birth: Birth | null;
}

/** The node that dials. */
export interface Near {
  readonly clock: NodeClock;
  readonly random: Random;
  hello(to: NodeId | null): Hello;
  judge(hello: Hello): Verdict;
  dial(address: string, link: Link, hello: Hello): void;
  /** Reaches the far side of a connection once, or never. */
  tell(far: Far, action: () => void): void;
  answered(hello: Hello): void;
  handedBirth(birth: Birth): void;
  removed(index: Index): void;
  lost(said: EntryId, by: string): void;
  unreachable(id: NodeId): void;
}

/** The node that was dialed, in the life in which it answered. */
export interface Far {
  readonly party: Party;
  readonly clock: NodeClock;
  /** It takes the connection for its own still. */
  holds(link: Link): boolean;
  refused(link: Link, error: RollcallError): void;
  handed(link: Link, birth: Birth): void;
  parted(link: Link): void;
}

/** TCP would send the handshake again. */
const answerMsMax = 250;
const backoffMsMin = 20;
const backoffMsMax = 1000;
const silencesMax = 3;

export class Link {
  readonly #near: Near;
  #target: Target;
  #state: 'waiting' | 'dialing' | 'open' | 'greeted' | 'closed' = 'waiting';
  #far: Far | null = null;
  #hello: Hello | null = null;
  /** What the dial that is out has said. */
  #asked: Hello | null = null;
  #timer: Timer | null = null;
  #address = '';
  /** Counts on whenever an attempt failed: whose turn it is among the addresses. */
  #turn = 0;
  #attempts = 0;
  #openedMs = 0;
  #silences = 0;

  constructor(near: Near, target: Target) {
    this.#near = near;
    this.#target = target;
    this.#dial();
  }

  get memberId(): NodeId | null {
    return this.#target.memberId;
  }

  /** Who answered, while that connection lasts. */
  get hello(): Hello | null {
    return this.#hello;
  }

  /** Where messages go; null while none may. */
  get far(): Far | null {
    return this.#state === 'open' ? this.#far : null;
  }

  leadsTo({ memberId, name, addresses }: Target): boolean {
    const own = this.#target;
    if (own.memberId !== null || memberId !== null) return own.memberId === memberId;
    return own.name === name && own.addresses[0] === addresses[0];
  }

  /** A connection to an address that is no longer the target's is made anew. */
  retarget(target: Target): void {
    const added = target.addresses.filter((address) => !this.#target.addresses.includes(address));
    this.#target = target;
    const isKept = target.addresses.includes(this.#address);
    if (this.#state === 'closed' || (isKept && this.#state !== 'waiting')) return;
    if (isKept && added.length === 0) return;
    this.#drop();
    this.#turn = added[0] === undefined ? 0 : target.addresses.indexOf(added[0]);
    this.#attempts = 0;
    this.#dial();
  }

  /** Dials now instead of later. */
  wake(): void {
    if (this.#state !== 'waiting') return;
    this.#attempts = 0;
    this.#dial();
  }

  /** Whether this connection stands, as far as its own side knows. */
  leads(far: Far): boolean {
    return this.#far === far;
  }

  /** To be called now and then: `isHeard` says whether anything can come from there. */
  keepAlive(isHeard: (far: Far) => boolean): void {
    const far = this.#far;
    if (far === null) return;
    this.#silences = isHeard(far) && far.holds(this) ? 0 : this.#silences + 1;
    if (this.#silences >= silencesMax) this.lose();
  }

  close(): void {
    this.#drop();
    this.#state = 'closed';
  }

  /** The connection is gone: back off, then dial again. */
  lose(): void {
    if (this.#state === 'closed' || this.#state === 'waiting') return;
    const { clock, random } = this.#near;
    this.#drop();
    const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** this.#attempts++);
    this.#timer = clock.after(ceiling * (0.5 + random() / 2), () => this.#dial());
    if (this.#target.memberId !== null) this.#near.unreachable(this.#target.memberId);
  }

  answered(far: Far, hello: Hello, { refusal, birth, ...answer }: Answer): void {
    // An answer to an earlier attempt.
    if (this.#state === 'closed') this.#near.tell(far, () => far.parted(this));
    if (this.#state !== 'dialing' || hello !== this.#asked) return;
    const verdict = this.#near.judge(answer.hello);
    if (verdict.type === 'refuse') {
      this.#near.tell(far, () => far.refused(this, verdict.error));
      this.lose();
      return;
    }
    if (!this.#isWanted(answer.hello)) {
      this.lose();
      return;
    }
    if (verdict.type === 'handBirth') {
      this.#near.tell(far, () => far.handed(this, verdict.birth));
    }
    this.#timer?.cancel();
    this.#far = far;
    this.#hello = answer.hello;
    this.#state = verdict.type === 'raft' ? 'open' : 'greeted';
    this.#openedMs = this.#near.clock.monotonic();
    this.#silences = 0;
    this.#near.answered(answer.hello);
    if (refusal !== null) this.refused(far, refusal);
    if (birth !== null) this.handed(far, birth);
  }

  /** The other side ends it and says why. */
  refused(far: Far, error: RollcallError): void {
    if (far !== this.#far) return;
    const index = this.#state === 'open' ? removalIndexOf(error) : null;
    const lost = lossOf(error);
    const by = this.#hello?.name ?? '';
    this.lose();
    if (index !== null) this.#near.removed(index);
    if (lost !== null) this.#near.lost(lost, by);
  }

  handed(far: Far, birth: Birth): void {
    if (far === this.#far && this.#state === 'greeted') this.#near.handedBirth(birth);
  }

  /** The other side has hung up. */
  hungUp(far: Far): void {
    if (far === this.#far) this.lose();
  }

  #dial(): void {
    this.#state = 'dialing';
    const { addresses, memberId } = this.#target;
    this.#address = addresses[this.#turn % addresses.length] as string;
    const hello = this.#near.hello(memberId);
    this.#asked = hello;
    this.#timer?.cancel();
    this.#timer = this.#near.clock.after(answerMsMax, () => {
      if (this.#state === 'dialing' && hello === this.#asked) this.lose();
    });
    this.#near.dial(this.#address, this, hello);
  }

  #isWanted({ memberId, name }: Hello): boolean {
    const wanted = this.#target;
    if (wanted.memberId !== null) return memberId === wanted.memberId;
    return wanted.name === null || name === wanted.name;
  }

  #drop(): void {
    this.#timer?.cancel();
    const far = this.#far;
    if (far === null) this.#turn++;
    else {
      // Whoever refuses right after the handshake is not asked again and again.
      if (this.#near.clock.monotonic() - this.#openedMs >= backoffMsMax) this.#attempts = 0;
      this.#near.tell(far, () => far.parted(this));
    }
    this.#state = 'waiting';
    this.#far = null;
    this.#hello = null;
  }
}
