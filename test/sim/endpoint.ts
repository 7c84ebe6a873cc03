/**
 * What a node's server does for its clients, without sockets and bounds: frames are decoded, checked and
 * submitted, and the answers of one turn leave together. The words are those of the shipped server.
 */
import type { Clock } from '../../src/base/clock.ts';
import { type ErrorCode, RollcallError } from '../../src/base/errors.ts';
import type { MemberApi, Request, Response } from '../../src/node/types.ts';
import {
  checkSession,
  isRead,
  type MemberMethod,
  nodeStatusOf,
  requestOf,
  resultOf,
} from '../../src/server/answers.ts';
import { ClientStreams } from '../../src/server/client-streams.ts';
import { errorBody } from '../../src/wire/error-body.ts';
import {
  decodeRequests,
  encodeHeader,
  encodeItem,
  encodeSharedItem,
  itemKinds,
  joinServerFrame,
  type WireSession,
} from '../../src/wire/frame.ts';
import { type Method, methods, type Parameters } from '../../src/wire/methods.ts';
import type { ProbeName } from './probes.ts';
import type { Answering, Served } from './sockets.ts';

/** The member behind the port, which may go and be another one later. */
export interface EndpointProvider {
  member(): MemberApi | null;
  memberId(): string;
  readonly name: string;
}

/** What a run wants to know of the requests. */
export interface EndpointWitness {
  hit(probe: ProbeName): void;
  watched(client: string): void;
  /** The member says that the request surely had no effect. */
  refused(request: Request, code: ErrorCode): void;
}

const pushMs = 1000;

export class Endpoint {
  readonly #provider: EndpointProvider;
  readonly #clock: Clock;
  readonly #witness: EndpointWitness;
  readonly #backlogMax: number;
  readonly #connections = new Set<Connection>();
  #stopListening: () => void = () => {};
  #pushDue = false;

  /** Streams wait while more than `backlogMax` frames are on their way to a client. */
  constructor(
    provider: EndpointProvider,
    clock: Clock,
    witness: EndpointWitness,
    backlogMax: number,
  ) {
    this.#provider = provider;
    this.#clock = clock;
    this.#witness = witness;
    this.#backlogMax = backlogMax;
    this.memberChanged();
    this.#scheduleTick();
  }

  /** To be called when the provider has another member than before. */
  memberChanged(): void {
    this.#stopListening();
    const member = this.#provider.member();
    this.#stopListening = member?.onStatusChange(() => this.#statusChanged()) ?? (() => {});
    this.#statusChanged();
  }

  accept(answering: Answering): Served {
    const room = (): boolean => answering.backlog <= this.#backlogMax;
    const connection = new Connection(this.#provider, answering, this.#witness, room);
    this.#connections.add(connection);
    connection.pushStatus();
    return {
      received: (frame) => connection.received(frame),
      written: () => connection.written(),
      closed: () => {
        this.#connections.delete(connection);
        connection.close();
      },
    };
  }

  /** The process is killed. */
  reset(): void {
    for (const connection of this.#connections) connection.answering.reset();
  }

  #statusChanged(): void {
    if (this.#pushDue) return;
    this.#pushDue = true;
    this.#clock.soon(() => {
      this.#pushDue = false;
      this.#push();
    });
  }

  #scheduleTick(): void {
    this.#clock.after(pushMs, () => {
      this.#scheduleTick();
      this.#push();
    });
  }

  #push(): void {
    for (const connection of this.#connections) connection.pushStatus();
  }
}

class Connection {
  readonly answering: Answering;
  readonly #provider: EndpointProvider;
  readonly #witness: EndpointWitness;
  readonly #streams: ClientStreams;
  #unsent: Uint8Array[] = [];
  #isOver = false;

  constructor(
    provider: EndpointProvider,
    answering: Answering,
    witness: EndpointWitness,
    hasRoom: () => boolean,
  ) {
    this.#provider = provider;
    this.#witness = witness;
    this.answering = answering;
    this.#streams = new ClientStreams({
      item: (id, body) => this.#add(encodeItem(id, itemKinds.item, body)),
      shared: (id, body) => this.#add(encodeSharedItem([id], itemKinds.item, body)),
      result: (id, body) => this.#add(encodeItem(id, itemKinds.result, body)),
      error: (id, error) => this.#fail(id, error),
      hasRoom: () => {
        if (hasRoom()) return true;
        witness.hit('streamPaused');
        return false;
      },
    });
  }

  pushStatus(): void {
    this.#add(encodeItem(0, itemKinds.item, this.#status()));
  }

  received(frame: Uint8Array): void {
    for (const { id, method, params, session } of decodeRequests(frame)) {
      try {
        this.#begin(id, method as Method, params, session);
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        this.#fail(id, error);
      }
    }
  }

  written(): void {
    if (!this.#isOver) this.#streams.resume();
  }

  close(): void {
    this.#isOver = true;
    this.#streams.close();
  }

  #begin(id: number, method: Method, params: unknown, session: WireSession | null): void {
    checkSession(method, session);
    const checked: unknown = methods[method](params, '');
    switch (method) {
      case 'status':
        this.#add(encodeItem(id, itemKinds.result, this.#status()));
        return;
      case 'cancel':
        this.#streams.cancel((checked as Parameters<'cancel'>).id);
        this.#add(encodeItem(id, itemKinds.result, { revision: this.#status().revision }));
        return;
      case 'watch':
        this.#witness.watched(this.answering.client);
        this.#streams.watch(id, checked as Parameters<'watch'>, this.#member());
        return;
      case 'watchService':
        this.#streams.watchService(id, checked as Parameters<'watchService'>, this.#member());
        return;
      case 'snapshot':
        this.#streams.snapshot(id, checked as Parameters<'snapshot'>, this.#member());
        return;
      case 'watchProgress':
        this.#streams.requestProgress(checked as Parameters<'watchProgress'>);
        this.#add(encodeItem(id, itemKinds.result, { revision: this.#status().revision }));
        return;
      case 'permit':
        this.#streams.permit(checked as Parameters<'permit'>);
        this.#add(encodeItem(id, itemKinds.result, { revision: this.#status().revision }));
        return;
      default:
        this.#submit(id, method, checked, session);
    }
  }

  #submit(id: number, method: MemberMethod, params: unknown, session: WireSession | null): void {
    const request = requestOf(method, params);
    const reply = (outcome: Response | RollcallError): void => {
      if (this.#isOver) return;
      if (outcome instanceof RollcallError) {
        // Of a write under a session another copy may still happen.
        if (outcome.definite && session === null) this.#witness.refused(request, outcome.code);
        this.#fail(id, outcome);
        return;
      }
      try {
        this.#add(encodeItem(id, itemKinds.result, resultOf(method, outcome)));
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        const { code, message } = error;
        this.#fail(id, new RollcallError(code, message, { definite: isRead(method) }));
      }
    };
    this.#member().submit(request, reply, session);
  }

  #member(): MemberApi {
    const member = this.#provider.member();
    if (member !== null) return member;
    throw new RollcallError('notBorn', 'The node waits for the repair of what is damaged here');
  }

  #status(): ReturnType<typeof nodeStatusOf> {
    const memberId = this.#provider.memberId();
    const { name } = this.#provider;
    return nodeStatusOf(this.#provider.member(), { memberId, name }, '0.0.0');
  }

  #fail(id: number, error: RollcallError): void {
    if (error.code === 'notLeader') this.#witness.hit('redirected');
    if (error.code === 'timeout' && !error.definite) this.#witness.hit('nodeTimedOut');
    if (error.code === 'behind') this.#witness.hit('behindRefused');
    if (error.code === 'notBorn') this.#witness.hit('requestDuringRepair');
    this.#add(encodeItem(id, itemKinds.error, errorBody(error)));
  }

  #add(item: Uint8Array): void {
    if (this.#isOver) return;
    this.#unsent.push(item);
    if (this.#unsent.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const header = encodeHeader(this.#status());
    this.answering.send(joinServerFrame(header, this.#unsent));
    this.#unsent = [];
  }
}
