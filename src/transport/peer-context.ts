/** What the connections of a node share: who this node is, whom they report to, and how patient they are. */
import type { Clock } from '../base/clock.ts';
import type { RollcallError } from '../base/errors.ts';
import type { Log, LogFields } from '../base/log.ts';
import type { Random } from '../base/prng.ts';
import type { Birth } from '../format/identity.ts';
import type { EntryId, Index, PeerMessage } from '../format/types.ts';
import type { Hello, Verdict } from './hello.ts';
import type { Lane } from './lanes.ts';

export interface PeerTiming {
  readonly handshakeTimeoutMs: number;
  /** How often each side looks whether it has heard of the other; the dialer pings as often. */
  readonly keepAliveMs: number;
  /** After so many looks in vain the connection is given up. */
  readonly silencesMax: number;
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  /** A peer that refuses a new connection so soon after it closed one is gone. */
  readonly goneMs: number;
}

export const defaultTiming: PeerTiming = {
  handshakeTimeoutMs: 5000,
  keepAliveMs: 1000,
  silencesMax: 3,
  backoffMsMin: 20,
  backoffMsMax: 1000,
  goneMs: 20,
};

export interface PeerContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timing: PeerTiming;
  /** What this node says of itself to the member that it dials, or in an answer (null). */
  hello(lane: Lane, to: string | null): Hello;
  judge(hello: Hello): Verdict;
  deliver(messages: readonly PeerMessage[]): void;
  /** Whatever was in flight to or from this member may be lost. */
  unreachable(memberId: string): void;
  /** The member's process has ended: it closed its control connection and refuses a new one. */
  gone(memberId: string): void;
  birth(birth: Birth, from: Hello): void;
  /** A node that is not born asks to be taken in; repeated while it is connected. */
  knock(hello: Hello): void;
  /** A member says that the configuration at this log index is without this node. */
  removed(configurationIndex: Index): void;
  /** A member says that this node has lost what it had acknowledged. */
  lost(said: EntryId, by: string): void;
  /** A member says that its cluster's feature level is one that this node may not know. */
  outdated(refusal: RollcallError, levelNeeded: number): void;
  /** Warns once, and again only when the reason under this key has changed. */
  complain(key: string, fields: LogFields, reason: string): void;
  /** The cause for complaints under this key is gone; `what` is well again. */
  content(key: string, what: string): void;
}
