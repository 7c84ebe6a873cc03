/** The verbs of the trace files, each a line of words and `key=value` options. */
import type { MemberChange, Message, NodeId } from '../../src/raft/types.ts';
import { Cluster } from './cluster.ts';
import { configurationOf, type Setup } from './member.ts';
import { showConfiguration, showEntry, showId, showMessage, showReady } from './trace.ts';

interface Command {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

type Verb = (this: Interaction, command: Command) => void;

export class Interaction {
  readonly #lines: string[] = [];
  readonly #cluster: Cluster;

  constructor() {
    this.#cluster = new Cluster({
      ready: (id, ready) => {
        const { currentTerm } = this.#cluster.member(id).status;
        this.#lines.push(...showReady(id, ready, currentTerm));
      },
      lost: (message) => this.#lines.push(`lost: ${showMessage(message)}`),
    });
  }

  /** Runs one line and returns what it printed. */
  run(line: string): string {
    const [name = '', ...rest] = line.split(/\s+/);
    const verb = verbs[name];
    if (verb === undefined) throw new Error(`No verb ${name}`);
    const pairs = rest.filter((word) => word.includes('='));
    const words = rest.filter((word) => !word.includes('='));
    const options = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
    verb.call(this, { words, options });
    return this.#lines.splice(0).join('\n') || 'ok';
  }

  get cluster(): Cluster {
    return this.#cluster;
  }

  /** Forgets what the command has printed so far. */
  hush(): void {
    this.#lines.length = 0;
  }

  say(line: string): void {
    this.#lines.push(line);
  }
}

const verbs: Readonly<Record<string, Verb>> = {
  /** `add-nodes 3 [log=1,1,2] [entries-per-message=…] [in-flight=…]` */
  'add-nodes'({ words, options }) {
    const voters = Array.from({ length: Number(words[0]) }, (_, at) => `n${at + 1}`);
    const learners = options.get('learners')?.split(',') ?? [];
    for (const id of [...voters, ...learners]) {
      this.cluster.add(id, { voters, learners, ...setupOf(options) });
    }
  },
  /** `add-node n2 of n1,n2,n3 [log=…]`: members whose logs differ are added one by one. */
  'add-node'({ words, options }) {
    const [id = '', , voters = ''] = words;
    this.cluster.add(id, { voters: voters.split(','), ...setupOf(options) });
  },
  campaign({ words }) {
    for (const id of words) this.cluster.campaign(id);
  },
  /** A whole election, told in one line. */
  elect({ words }) {
    const id = words[0] ?? '';
    this.cluster.elect(id);
    const { role, currentTerm } = this.cluster.member(id).status;
    this.hush();
    this.say(
      `${id} is ${role} in term ${currentTerm}, and all who hear it know that its no-op is committed`,
    );
  },
  tick({ words }) {
    const [id = '', times = '1'] = words;
    this.cluster.tick(id, Number(times));
  },
  /** A while in which nothing is worth telling. */
  pass({ words }) {
    const [id = '', times = '1'] = words;
    for (let at = 0; at < Number(times); at++) this.cluster.tick(id).stabilize();
    this.hush();
    this.say(`${times} ticks of ${id} pass, and all that comes of them`);
  },
  propose({ words }) {
    const [id = '', ...texts] = words;
    this.cluster.propose(id, ...texts);
  },
  'read-index'({ words }) {
    const [id = '', ...reads] = words;
    for (const read of reads) {
      this.cluster.member(id).raft.step({ type: 'readIndex', id: Number(read) });
    }
    this.cluster.work(id);
  },
  /** `deliver [n1→n2] …`: one hop of what is in flight. */
  deliver({ words }) {
    this.cluster.deliver(selectorOf(words));
  },
  drop({ words }) {
    this.cluster.lose(selectorOf(words));
  },
  stabilize() {
    this.cluster.stabilize();
  },
  isolate({ words }) {
    for (const id of words) this.cluster.isolated.add(id);
  },
  heal() {
    this.cluster.isolated.clear();
  },
  'slow-disk'({ words }) {
    for (const id of words) this.cluster.slowDisks.add(id);
  },
  'fast-disk'({ words }) {
    for (const id of words) this.cluster.slowDisks.delete(id);
  },
  /** The append that is out is done; later ones wait again. */
  persist({ words }) {
    for (const id of words) {
      this.cluster.member(id).persist();
      this.cluster.work(id);
    }
  },
  restart({ words }) {
    for (const id of words) {
      this.cluster.member(id).restart();
      this.cluster.work(id);
    }
  },
  compact({ words }) {
    const [id = '', index] = words;
    this.cluster.member(id).compact(Number(index));
  },
  /** Drops from the disk what was compacted. */
  release({ words }) {
    for (const id of words) this.cluster.member(id).release();
  },
  /** `send-state n1 n3`: n3 receives the state of n1 as of now. */
  'send-state'({ words }) {
    const [source = '', target = ''] = words;
    const state = this.cluster.member(source).snapshot();
    this.cluster.member(target).raft.step({ type: 'snapshotReceived', ...state });
    this.cluster.work(target);
  },
  /** `change n1 add:n4 add:n5/n3 promote:n4 demote:n2 remove:n3`; n5/n3 is n5, which replaces n3. */
  change({ words }) {
    const [id = '', ...texts] = words;
    const changes = texts.map(changeOf);
    this.cluster.member(id).raft.step({ type: 'changeConfiguration', id: 0, changes });
    this.cluster.work(id);
  },
  transfer({ words }) {
    const [id = '', to = null] = words;
    this.cluster.member(id).raft.step({ type: 'transferLeadership', to });
    this.cluster.work(id);
  },
  'leader-gone'({ words }) {
    const [id = '', leader = ''] = words;
    this.cluster.member(id).raft.step({ type: 'leaderGone', leader });
    this.cluster.work(id);
  },
  unreachable({ words }) {
    const [id = '', peer = ''] = words;
    this.cluster.member(id).raft.step({ type: 'peerUnreachable', peer });
    this.cluster.work(id);
  },
  eligible({ words }) {
    const [id = '', campaign] = words;
    this.cluster.member(id).raft.step({ type: 'eligible', campaign: campaign === 'yes' });
    this.cluster.work(id);
  },
  log({ words }) {
    for (const id of idsOf(this, words)) {
      const { stored } = this.cluster.member(id);
      this.say(`${id}: ${stored.map(showEntry).join(', ')}`);
    }
  },
  status({ words }) {
    for (const id of idsOf(this, words)) {
      const { role, leaderId, currentTerm, votedFor, commitIndex, lastIndex, lastApplied } =
        this.cluster.member(id).status;
      const standing = `${role} leader=${leaderId ?? 'unknown'} term=${currentTerm} vote=${votedFor ?? 'nobody'}`;
      this.say(`${id}: ${standing} last=${lastIndex} commit=${commitIndex} applied=${lastApplied}`);
    }
  },
  configuration({ words }) {
    for (const id of idsOf(this, words)) {
      this.say(`${id}: ${showConfiguration(this.cluster.member(id).status.configuration)}`);
    }
  },
  /** What a leader knows of the others. */
  peers({ words }) {
    const { progress, transferee } = this.cluster.member(words[0] ?? '').status;
    for (const { id, state, matchIndex, isRecentlyActive } of progress) {
      const silence = isRecentlyActive ? '' : ' silent';
      const goal = transferee === id ? ' is to lead' : '';
      this.say(`${id}: ${state} match=${matchIndex}${silence}${goal}`);
    }
  },
  progress({ words }) {
    const { progress, configuration } = this.cluster.member(words[0] ?? '').status;
    this.say(showConfiguration(configuration));
    for (const { id, matchIndex } of progress) this.say(`${id}: match=${matchIndex}`);
  },
  /** What is still on its way. */
  network() {
    for (const message of this.cluster.inFlight) this.say(showMessage(message));
  },
  'hard-state'({ words }) {
    for (const id of idsOf(this, words)) {
      const { hardState, stored } = this.cluster.member(id);
      const last = showId(stored.at(-1) ?? { term: 0, index: 0 });
      this.say(
        `${id}: term=${hardState.currentTerm} vote=${hardState.votedFor ?? 'nobody'} last=${last}`,
      );
    }
  },
};

function changeOf(text: string): MemberChange {
  const [type, subject = ''] = text.split(':');
  const [id = '', replaces = null] = subject.split('/');
  switch (type) {
    case 'add': {
      const [member] = configurationOf([id]).members;
      if (member === undefined) throw new Error(`No member in ${text}`);
      return { type, member: { ...member, replaces, autoPromote: true } };
    }
    case 'promote':
    case 'demote':
    case 'remove':
      return { type, id };
    default:
      throw new Error(`No change ${text}`);
  }
}

function idsOf(interaction: Interaction, words: readonly string[]): Iterable<NodeId> {
  return words.length > 0 ? words : interaction.cluster.members.keys();
}

/** `n1→n2` and `n1→*` choose messages; none means all. */
function selectorOf(words: readonly string[]): (message: Message) => boolean {
  if (words.length === 0) return () => true;
  const links = words.map((word) => word.split('→'));
  return ({ from, to }) =>
    links.some(
      ([source, target]) =>
        (source === '*' || source === from) && (target === '*' || target === to),
    );
}

function setupOf(options: ReadonlyMap<string, string>): Omit<Setup, 'voters'> {
  const log = options.get('log');
  const term = options.get('term');
  const vote = options.get('vote');
  const commit = options.get('commit');
  const perMessage = options.get('entries-per-message');
  const inFlight = options.get('in-flight');
  const inFlightBytes = options.get('in-flight-bytes');
  return {
    ...(log === undefined ? {} : { log: log.split(',').map(Number) }),
    ...(term === undefined ? {} : { term: Number(term) }),
    ...(vote === undefined ? {} : { votedFor: vote }),
    ...(commit === undefined ? {} : { commitIndex: Number(commit) }),
    options: {
      ...(perMessage === undefined ? {} : { entriesPerMessageMax: Number(perMessage) }),
      ...(inFlight === undefined ? {} : { inflightMessagesMax: Number(inFlight) }),
      ...(inFlightBytes === undefined ? {} : { inflightBytesMax: Number(inFlightBytes) }),
    },
  };
}
