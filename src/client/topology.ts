/**
 * What the client knows of the cluster, and the decision that follows from it: which endpoint leads.
 * No sockets and no clock in here: connections report, this answers.
 *
 * The highest term in which anybody names a leader wins. The endpoint that leads is the one whose own
 * status carries the leader's member id, so that it does not matter under which address the members
 * know each other. An endpoint that is disconnected, silent or has itself refused to lead that term is
 * no candidate, and then there is no leader until something changes.
 */
import type { NodeStatus } from '../wire/results.ts';

interface Endpoint {
  readonly address: string;
  connected: boolean;
  /** Owes an answer for too long. Whatever is heard from it ends that. */
  silent: boolean;
  /** The highest term in which this endpoint answered that it does not lead, or not any more. */
  refusedTerm: number;
  /** The newest status, kept while disconnected: the member id stays true. */
  status: NodeStatus | null;
}

export class Topology {
  readonly #endpoints = new Map<string, Endpoint>();
  #leader: string | null = null;

  constructor(addresses: readonly string[]) {
    for (const address of addresses) this.add(address);
  }

  /** The endpoint to which writes and linearizable reads go, or null while none is known. */
  get leader(): string | null {
    return this.#leader;
  }

  get addresses(): readonly string[] {
    return [...this.#endpoints.keys()];
  }

  add(address: string): void {
    if (this.#endpoints.has(address)) return;
    this.#endpoints.set(address, {
      address,
      connected: false,
      silent: false,
      refusedTerm: -1,
      status: null,
    });
  }

  status(address: string): NodeStatus | null {
    return this.#endpoints.get(address)?.status ?? null;
  }

  /**
   * Endpoints that can be asked for what any node may answer: one that was removed from the cluster only
   * while there is no other, so that somebody says why nothing is served.
   */
  usable(): readonly string[] {
    const usable: string[] = [];
    const removed: string[] = [];
    for (const { address, connected, silent, status } of this.#endpoints.values()) {
      if (connected && !silent) (status?.standing === 'removed' ? removed : usable).push(address);
    }
    return usable.length > 0 ? usable : removed;
  }

  /** Whether there are nodes that speak, and none of them belongs to a cluster yet. */
  get unborn(): boolean {
    const speaking = this.usable().map((address) => this.status(address));
    return speaking.length > 0 && speaking.every((status) => status?.clusterId === '');
  }

  isSilent(address: string): boolean {
    return this.#endpoints.get(address)?.silent ?? false;
  }

  /** A status arrived: the endpoint is connected and speaks. */
  observed(address: string, status: NodeStatus): void {
    const endpoint = this.#endpoint(address);
    endpoint.connected = true;
    endpoint.silent = false;
    // A node that says itself that it leads takes back an older refusal of the same term.
    if (status.role === 'leader' && endpoint.refusedTerm === status.term) endpoint.refusedTerm = -1;
    endpoint.status = status;
    this.#decide();
  }

  /** Anything at all was heard. */
  heard(address: string): void {
    const endpoint = this.#endpoint(address);
    if (!endpoint.silent) return;
    endpoint.silent = false;
    this.#decide();
  }

  silenced(address: string): void {
    this.#endpoint(address).silent = true;
    this.#decide();
  }

  disconnected(address: string): void {
    const endpoint = this.#endpoint(address);
    endpoint.connected = false;
    endpoint.silent = false;
    endpoint.refusedTerm = -1;
    this.#decide();
  }

  /** The endpoint will not lead in `term`, as it has answered; a newer status of it decides again. */
  refused(address: string, term: number): void {
    const endpoint = this.#endpoint(address);
    endpoint.refusedTerm = Math.max(endpoint.refusedTerm, term);
    this.#decide();
  }

  /**
   * Addresses of members that are none of the endpoints' members: worth connections of their own. Of those
   * who know no leader only where nobody does: a node that was removed knows at least who was there then.
   */
  unknownAddresses(): readonly string[] {
    const newest = this.#newest() ?? this.#newest(() => true);
    if (newest === null) return [];
    const endpoints = [...this.#endpoints.values()];
    const met = new Set(endpoints.map(({ status }) => status?.memberId));
    return newest.members
      .filter(({ id, clientAddress }) => !met.has(id) && !this.#endpoints.has(clientAddress))
      .map(({ clientAddress }) => clientAddress);
  }

  /** The endpoint of the leader that is named, while there is no connection to it, and its term. */
  awayLeader(): { readonly address: string; readonly term: number } | null {
    const newest = this.#newest();
    for (const { address, connected, status } of this.#endpoints.values()) {
      if (newest === null || connected || status?.memberId !== newest.leaderId) continue;
      return { address, term: newest.term };
    }
    return null;
  }

  #decide(): void {
    this.#leader = null;
    const newest = this.#newest();
    if (newest === null) return;
    for (const endpoint of this.#endpoints.values()) {
      if (
        endpoint.connected &&
        !endpoint.silent &&
        endpoint.status?.memberId === newest.leaderId &&
        endpoint.refusedTerm < newest.term
      ) {
        this.#leader = endpoint.address;
        return;
      }
    }
  }

  /** The status of the highest term, among those that speak now and name a leader. */
  #newest(counts = ({ leaderId }: NodeStatus): boolean => leaderId !== null): NodeStatus | null {
    let newest: NodeStatus | null = null;
    for (const endpoint of this.#endpoints.values()) {
      const status = endpoint.status;
      if (!endpoint.connected || endpoint.silent || status === null) continue;
      if (counts(status) && status.term > (newest?.term ?? -1)) newest = status;
    }
    return newest;
  }

  #endpoint(address: string): Endpoint {
    this.add(address);
    return this.#endpoints.get(address) as Endpoint;
  }
}
