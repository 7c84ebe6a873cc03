/**
 * The member that a data directory holds, through all of its lives: it is opened, closed and repaired
 * when what is stored turns out to be damaged, and given up for a new one where that is the only remedy.
 * Knows nothing of ports: whoever keeps those open meanwhile is its host.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type Random, randomId } from '../base/prng.ts';
import type { Birth, Identity } from '../format/identity.ts';
import type { EntryId } from '../format/types.ts';
import { damagedPart } from '../storage/damage.ts';
import type { ReachFailpoint } from '../storage/failpoints.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../storage/identity.ts';
import { refuseRestoring } from '../storage/restore-mark.ts';
import type { Files } from '../storage/types.ts';
import { forgottenLog, type Remedy, repair } from './repair.ts';

export interface Keepable {
  close(): Promise<void>;
}

/** What becomes of the member, for those who serve it. */
export interface KeeperHost<Member extends Keepable> {
  /** It is open. What this throws ends the start that it is part of. */
  opened(member: Member): void;
  /** It is closed, and there is none until the next `opened`. */
  repairs(): void;
  /** It was given up, and the directory is a new member's, who belongs to no cluster yet. */
  rejoins(identity: Identity): Promise<void>;
  /** Nothing can be done about this: the node must end. */
  failed(error: unknown): void;
}

export interface KeeperOptions<Member extends Keepable> {
  readonly files: Files;
  readonly clock: Pick<Clock, 'wall'>;
  readonly random: Random;
  readonly log: Log;
  /** The node's. */
  readonly name: string;
  /** Whether the node was told of others that could take it in. */
  readonly mayRejoin: boolean;
  /** Called at those of `storageFailpoints` that a repair passes. */
  readonly failpoint?: ReachFailpoint;
  /** Opens the storage and the member; `onFatal` as in its options. */
  readonly open: (
    identity: Identity,
    birth: Birth,
    onFatal: (error: unknown) => void,
  ) => Promise<Member>;
  readonly host: KeeperHost<Member>;
}

export class MemberKeeper<Member extends Keepable> {
  readonly #options: KeeperOptions<Member>;
  #identity: Identity | null = null;
  #member: Member | null = null;
  /** Of all members that this process has had, the newest: what others report does not count. */
  #life = 0;
  /** Repairs that are under way or wait for their turn. */
  #healing = 0;
  #serving: Promise<void> | null = null;
  #isClosing = false;

  constructor(options: KeeperOptions<Member>) {
    this.#options = options;
  }

  /** Whose the directory is, once it was loaded. */
  get identity(): Identity {
    assert(this.#identity !== null, 'The identity has not been loaded');
    return this.#identity;
  }

  /** Null while there is none to serve. */
  get member(): Member | null {
    return this.#member;
  }

  /** Finds out, or decides, whose the directory is. Throws `dataDirectory` when it is another name's, or half restored. */
  async load(): Promise<Identity> {
    const { files, name } = this.#options;
    await refuseRestoring(files);
    const stored = await loadIdentity(files).catch(async (error: unknown) => {
      await this.#repair(error, null);
      return null;
    });
    this.#identity = stored ?? (await this.#mint());
    if (this.#identity.name !== name) {
      throw new RollcallError(
        'dataDirectory',
        `The data directory belongs to the member "${this.#identity.name}", not "${name}"`,
      );
    }
    return this.#identity;
  }

  /**
   * The member belongs to a cluster now; durable when it resolves. False: its identity had been damaged
   * since it was minted, so that it was given up.
   */
  async become(birth: Birth): Promise<boolean> {
    try {
      this.#identity = await saveBirth(this.#options.files, birth);
      return true;
    } catch (error) {
      await this.#repair(error, null);
    }
    await this.#rejoin();
    return false;
  }

  /** Opens the member, repaired if need be. Throws when it can be neither opened nor repaired. */
  serve(birth: Birth): Promise<void> {
    this.#serving = this.#openAndServe(birth);
    return this.#serving;
  }

  /** A peer says that this node has lost what it had acknowledged. Several will. */
  lost(said: EntryId, by: string): void {
    if (this.#healing === 0) this.#memberFailed(forgottenLog(said, by));
  }

  /** The member closes in good order. Nothing is opened or repaired any more. */
  async close(): Promise<void> {
    this.#isClosing = true;
    // A member that is being opened closes itself; its files must not go before.
    await this.#serving?.catch(() => {});
    await this.#member?.close();
  }

  async #openAndServe(birth: Birth): Promise<void> {
    const member = await this.#openHealthy(birth);
    if (member === null) {
      await this.#rejoin();
      return;
    }
    this.#member = member;
    if (!this.#isClosing) this.#options.host.opened(member);
  }

  /** Repairs first what is damaged. Null: this member is given up. */
  async #openHealthy(birth: Birth): Promise<Member | null> {
    try {
      return await this.#open(birth);
    } catch (error) {
      if ((await this.#repair(error, birth)) === 'rejoin') return null;
    }
    return await this.#open(birth);
  }

  #open(birth: Birth): Promise<Member> {
    const life = ++this.#life;
    return this.#options.open(this.identity, birth, (error) => {
      if (life === this.#life) this.#memberFailed(error);
    });
  }

  #repair(error: unknown, birth: Birth | null): Promise<Remedy> {
    const { mayRejoin } = this.#options;
    const hasPeers = mayRejoin || (birth !== null && birth.configuration.members.length > 1);
    return repair(error, hasPeers, this.#options);
  }

  /** The member that is given up is nobody any more; a new one asks to be taken in. */
  async #rejoin(): Promise<void> {
    this.#identity = await this.#mint();
    if (!this.#isClosing) await this.#options.host.rejoins(this.#identity);
  }

  #mint(): Promise<Identity> {
    const { files, name, random } = this.#options;
    return mintIdentity(files, name, randomId(random));
  }

  /** Damage that shows while the member runs is repaired as at a start; anything else ends the node. */
  #memberFailed(error: unknown): void {
    if (this.#isClosing) return;
    const { host } = this.#options;
    if (damagedPart(error) === null) {
      host.failed(error);
      return;
    }
    this.#life++;
    const before = this.#serving;
    this.#healing++;
    this.#serving = this.#heal(error, before).finally(() => {
      this.#healing--;
    });
    this.#serving.catch((failure: unknown) => host.failed(failure));
  }

  async #heal(error: unknown, before: Promise<void> | null): Promise<void> {
    await before?.catch(() => {});
    const member = this.#member;
    const { birth } = this.identity;
    // What could not be opened has failed already.
    if (this.#isClosing || (birth !== null && member === null)) return;
    this.#member = null;
    this.#options.host.repairs();
    await member?.close();
    const remedy = await this.#repair(error, birth);
    if (remedy === 'rejoin' || birth === null) await this.#rejoin();
    else if (!this.#isClosing) await this.#openAndServe(birth);
  }
}
