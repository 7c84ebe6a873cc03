/** A member of one, kept in a Map: enough of the request interface to stand behind an endpoint. */
import { RollcallError } from '../../src/base/errors.ts';
import type { KeyValue } from '../../src/mvcc/types.ts';
import type {
  BackupRequest,
  BackupSink,
  MemberApi,
  MemberStatus,
  Reply,
  Request,
  Response,
  StreamHandle,
  ViewSink,
  WatchBatch,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from '../../src/node/types.ts';
import type { RegisteredInstance } from '../../src/registry/types.ts';

type Result = Response['result'];

export class MapMember implements MemberApi {
  readonly pairs = new Map<string, KeyValue>();
  readonly history: WatchBatch[] = [];
  readonly open = new Set<Stream>();
  /** Requests whose key begins with `hold` wait here. */
  readonly held: (() => void)[] = [];
  isReady = true;
  #revision = 1;
  readonly #listeners = new Set<() => void>();
  #status: MemberStatus = {
    clusterId: '00000000000c1a55',
    incarnation: '0000000000000001',
    memberId: '00000000000000a1',
    name: 'a',
    role: 'leader',
    standing: 'voter',
    troubles: [],
    term: 3,
    leaderId: '00000000000000a1',
    leaderName: 'a',
    leaderAddress: '127.0.0.1:4640',
    members: [{ id: '00000000000000a1', clientAddress: '127.0.0.1:4640' }],
    featureLevel: 2,
    featureLevelMax: 2,
    commitIndex: 9,
    appliedIndex: 9,
    revision: 1,
    ...{ compactRevision: 0, removedRevision: 0, storedBytes: 0, quotaBytes: 0 },
    ...{ historyAgeMs: 0, historyRevisions: 0 },
    digest: '00000000000000dd',
  };

  submit(request: Request, reply: Reply): void {
    const answer = (): void => reply(this.#answer(request));
    if ('key' in request && request.key.startsWith('hold')) this.held.push(answer);
    else queueMicrotask(answer);
  }

  watch(request: WatchRequest, sink: WatchSink): WatchHandle {
    if (request.startRevision === 1) {
      sink.end(new RollcallError('compacted', 'Too old', { details: { compactRevision: 2 } }));
      return { resume() {}, cancel() {}, requestProgress() {} };
    }
    const stream = new Stream(this, request, sink);
    this.open.add(stream);
    queueMicrotask(() => {
      sink.created(this.#revision);
      stream.resume();
    });
    return stream;
  }

  watchService(request: { readonly service: string }, sink: ViewSink): StreamHandle {
    const instance: RegisteredInstance = {
      id: 'one',
      address: '127.0.0.1:80',
      tags: ['t'],
      metadata: [['zone', 'z']],
      leaseId: null,
      createRevision: 2,
      modRevision: 2,
    };
    queueMicrotask(() => {
      sink.view(2, [instance]);
      sink.send({ revision: 3, events: [{ type: 'removed', id: 'one', reason: 'expired' }] });
      sink.end(new RollcallError('noLeader', `No leader for ${request.service}`));
    });
    return { resume() {}, cancel() {} };
  }

  /** Ten pieces of one byte each, as fast as they are taken. */
  backup(_request: BackupRequest, sink: BackupSink): StreamHandle {
    let next = 0;
    const resume = (): void => {
      while (next < 10) if (!sink.send(Uint8Array.of(next++))) return;
      sink.done(this.#revision);
    };
    queueMicrotask(resume);
    return {
      resume,
      cancel: () => {
        next = 10;
      },
    };
  }

  status(): MemberStatus {
    return { ...this.#status, revision: this.#revision };
  }

  digestAt(index: number): { readonly digest: string; readonly revision: number } | null {
    const { appliedIndex, digest } = this.#status;
    return index === appliedIndex ? { digest, revision: this.#revision } : null;
  }

  ready(): boolean {
    return this.isReady;
  }

  onStatusChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  change(status: Partial<MemberStatus>): void {
    this.#status = { ...this.#status, ...status };
    for (const listener of this.#listeners) listener();
  }

  release(): void {
    for (const answer of this.held.splice(0)) answer();
  }

  #answer(request: Request): Response | RollcallError {
    const result = this.#result(request);
    return result instanceof RollcallError ? result : { revision: this.#revision, result };
  }

  #result(request: Request): Result | RollcallError {
    switch (request.type) {
      case 'put': {
        const previous = this.pairs.get(request.key) ?? null;
        this.#store(request.key, Uint8Array.from(request.value));
        return { type: 'put', previous: request.previous ? previous : null };
      }
      case 'delete': {
        const previous = [...this.pairs.values()];
        this.pairs.clear();
        return { type: 'delete', deleted: previous.length, previous };
      }
      case 'range': {
        const pairs = [...this.pairs.values()].filter(({ key }) => key.startsWith(request.key));
        return { type: 'range', pairs, count: pairs.length, more: false };
      }
      case 'leaseList':
        return { type: 'leaseList', leases: [], more: false };
      default:
        return new RollcallError('notLeader', 'Ask b', { details: { leaderId: 'b' } });
    }
  }

  #store(key: string, value: Uint8Array): void {
    const modRevision = ++this.#revision;
    const pair = { key, value, createRevision: 2, modRevision, version: 1, leaseId: null };
    this.pairs.set(key, pair);
    const event = { type: 'put', pair, cause: 'request', previous: null } as const;
    this.history.push({ revision: modRevision, events: [event], more: false });
    for (const stream of this.open) stream.advance();
  }
}

/** Reads on from the history; paused while the sink has no room. */
class Stream implements WatchHandle {
  readonly #member: MapMember;
  readonly #key: string;
  readonly #sink: WatchSink;
  #next: number;
  #isPaused = true;
  /** How often the sink said that it had no room. */
  pauses = 0;

  constructor(member: MapMember, request: WatchRequest, sink: WatchSink) {
    this.#member = member;
    this.#key = request.key;
    this.#sink = sink;
    this.#next = request.startRevision === 0 ? member.history.length : 0;
  }

  resume(): void {
    this.#isPaused = false;
    this.advance();
  }

  advance(): void {
    while (!this.#isPaused && this.#member.open.has(this)) {
      const batch = this.#member.history[this.#next];
      if (batch === undefined) return;
      this.#next++;
      const events = batch.events.filter(({ pair }) => pair.key.startsWith(this.#key));
      if (events.length > 0) this.#isPaused = !this.#sink.send(batch);
      if (this.#isPaused) this.pauses++;
    }
  }

  cancel(): void {
    this.#member.open.delete(this);
  }

  requestProgress(): void {
    this.#sink.progress(this.#member.status().revision);
  }
}
