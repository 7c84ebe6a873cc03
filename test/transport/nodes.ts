/** Peers of a test cluster, on ports that the system chooses. */
import type { RollcallError } from '../../src/base/errors.ts';
import type { Log } from '../../src/base/log.ts';
import type { Birth } from '../../src/format/identity.ts';
import { isNodeMessage } from '../../src/format/node-message.ts';
import type { Configuration, EntryId, Member, Message } from '../../src/format/types.ts';
import { systemClock, systemRandom } from '../../src/server/system-clock.ts';
import type { Hello, InitialMember } from '../../src/transport/hello.ts';
import type { PeerTiming } from '../../src/transport/peer-context.ts';
import { type Greeting, openPeers, type Peers } from '../../src/transport/peers.ts';
import { Inbox } from './inbox.ts';

export interface Node {
  readonly id: string;
  readonly name: string;
  readonly peers: Peers;
  readonly messages: Inbox<Message>;
  readonly unreachable: Inbox<string>;
  readonly gone: Inbox<string>;
  readonly knocks: Inbox<Greeting>;
  /** By others. */
  readonly greeted: Inbox<Greeting>;
  readonly removed: Inbox<number>;
  readonly hellos: Inbox<Hello>;
  readonly births: Inbox<Birth>;
  readonly lost: Inbox<EntryId>;
  readonly outdated: Inbox<RollcallError>;
  readonly news: Inbox<string>;
  readonly warnings: Inbox<string>;
}

export interface NodeOptions {
  readonly listen?: string;
  readonly id?: string;
  readonly birth?: Birth | null;
  readonly join?: readonly string[];
  readonly featureLevel?: number;
  readonly initialCluster?: readonly InitialMember[];
  readonly timing?: Partial<PeerTiming>;
  /** Null: its member is not open yet. Never the case before birth. */
  readonly log?: EntryId | null;
}

export function idOf(name: string): string {
  return name.charCodeAt(0).toString(16).padStart(16, '0');
}

export function memberAt(name: string, peerAddress: string): Member {
  return {
    id: idOf(name),
    name,
    peerAddress,
    clientAddress: '127.0.0.1:1',
    featureLevel: 1,
    replaces: null,
    autoPromote: false,
  };
}

export function birthOf(names: readonly string[], changes: Partial<Birth> = {}): Birth {
  return {
    clusterId: '00000000000c1a55',
    incarnation: '0000000000000001',
    configuration: configurationOf(names.map((name) => memberAt(name, '127.0.0.1:1'))),
    configurationIndex: 0,
    ...changes,
  };
}

/** Those who have not the id of their name joined later, as learners. */
export function configurationOf(members: readonly Member[]): Configuration {
  const ids = members.map(({ id }) => id);
  const named = new Set(members.map(({ name }) => idOf(name)));
  return {
    members,
    voters: ids.filter((id) => named.has(id)),
    votersOutgoing: [],
    learners: ids.filter((id) => !named.has(id)),
    learnersNext: [],
  };
}

/** Opens nodes, and closes all of them after a test. */
export function openNodes(): {
  readonly node: typeof openNode;
  readonly closeAll: () => Promise<void>;
} {
  const open: Node[] = [];
  return {
    node: async (...args) => {
      const opened = await openNode(...args);
      open.push(opened);
      return opened;
    },
    closeAll: async () => {
      await Promise.all(open.splice(0).map(({ peers }) => peers.close()));
    },
  };
}

export async function openNode(name: string, options: NodeOptions = {}): Promise<Node> {
  const inboxes = {
    messages: new Inbox<Message>(),
    unreachable: new Inbox<string>(),
    gone: new Inbox<string>(),
    knocks: new Inbox<Greeting>(),
    greeted: new Inbox<Greeting>(),
    removed: new Inbox<number>(),
    hellos: new Inbox<Hello>(),
    births: new Inbox<Birth>(),
    lost: new Inbox<EntryId>(),
    outdated: new Inbox<RollcallError>(),
    news: new Inbox<string>(),
    warnings: new Inbox<string>(),
  };
  const id = options.id ?? idOf(name);
  const log: Log = {
    debug() {},
    info: (_fields, message) => inboxes.news.push(message),
    warn: (_fields, message) => inboxes.warnings.push(message),
    error: (_fields, message) => inboxes.warnings.push(message),
  };
  const peers = await openPeers({
    listen: options.listen ?? '127.0.0.1:0',
    self: {
      memberId: id,
      name,
      peerAddress: '127.0.0.1:0',
      clientAddress: '127.0.0.1:4640',
      featureLevel: options.featureLevel ?? 1,
      initialCluster: options.initialCluster ?? [],
      join: options.join ?? [],
      birth: options.birth === undefined ? birthOf([name]) : options.birth,
    },
    clock: systemClock,
    random: systemRandom,
    log,
    hooks: {
      onHandshake: (hello) => inboxes.hellos.push(hello),
      onBirth: (birth) => inboxes.births.push(birth),
      onLost: (said) => inboxes.lost.push(said),
      onOutdated: (refusal) => inboxes.outdated.push(refusal),
    },
    ...(options.timing === undefined ? {} : { timing: options.timing }),
  });
  const found = options.log === undefined ? { term: 0, index: 0 } : options.log;
  if (found !== null && options.birth !== null) peers.opened(found);
  peers.attach({
    message: (message) => {
      if (!isNodeMessage(message)) inboxes.messages.push(message);
    },
    unreachable: (peer) => inboxes.unreachable.push(peer),
    gone: (peer) => inboxes.gone.push(peer),
    knock: (applicant) => inboxes.knocks.push(applicant),
    greeted: (member) => {
      if (member.id !== id) inboxes.greeted.push(member);
    },
    removed: (index) => inboxes.removed.push(index),
  });
  return { id, name, peers, ...inboxes };
}

let configurationIndex = 0;

/** A newer configuration for each of the nodes. */
export function configure(nodes: readonly Node[], members: readonly Member[]): number {
  const index = ++configurationIndex;
  for (const { peers } of nodes) peers.setConfiguration(configurationOf(members), index);
  return index;
}

/** As a member, under the id that it has. */
export function asMember({ id, name, peers }: Node): Member {
  return { ...memberAt(name, peers.address), id };
}

/** Tells each node where the others listen. */
export function introduce(...nodes: readonly Node[]): void {
  configure(
    nodes,
    nodes.map(({ name, peers }) => memberAt(name, peers.address)),
  );
}

export function heartbeat(from: Node, to: Node, term: number): Message {
  return { type: 'heartbeat', from: from.id, to: to.id, term, leaderCommit: 3, readRound: 0 };
}

/** Sends until it arrives: a lane that is still dialing drops what it is given. */
export async function deliver(from: Node, to: Node, message: Message): Promise<Message> {
  let arrived = false;
  const received = to.messages.take(({ type, term }) => {
    return type === message.type && term === message.term;
  });
  void received.then(() => {
    arrived = true;
  });
  while (!arrived) {
    from.peers.send(message);
    from.peers.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return received;
}
