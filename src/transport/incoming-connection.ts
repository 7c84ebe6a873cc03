/**
 * A connection that another member dialed: its handshake, then its raft messages. Whatever is wrong
 * with a frame ends this connection, with a logged reason, and nothing else.
 */
import type { RawData, WebSocket } from 'ws';
import type { Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Birth } from '../format/identity.ts';
import type { PeerMessage } from '../format/types.ts';
import { hangUp } from './hang-up.ts';
import { type Hello, levelNeededOf, lossOf, removalIndexOf, type Verdict } from './hello.ts';
import { laneOf } from './lanes.ts';
import type { PeerContext } from './peer-context.ts';
import { decodePeerFrame, encodePeerFrame, type PeerFrame, peerFrameType } from './peer-frame.ts';

export class IncomingConnection {
  readonly #context: PeerContext;
  readonly #socket: WebSocket;
  readonly #remote: string;
  readonly #memberId: string;
  readonly #shaken: (hello: Hello) => void;
  #deadline: Timer | null;
  #hello: Hello | null = null;
  /** Null before the handshake and after whatever ended the connection. */
  #verdict: Exclude<Verdict['type'], 'refuse'> | null = null;
  /** Was open when it was last looked at. */
  #isProven = false;
  #heard = false;
  #silences = 0;

  /** `shaken` hears of the finished handshake. */
  constructor(
    context: PeerContext,
    socket: WebSocket,
    remote: string,
    shaken: (hello: Hello) => void,
  ) {
    this.#context = context;
    this.#socket = socket;
    this.#remote = remote;
    this.#shaken = shaken;
    this.#memberId = context.hello('control', null).memberId;
    this.#deadline = context.clock.after(context.timing.handshakeTimeoutMs, () =>
      this.#reject(new RollcallError('malformedFrame', 'The handshake took too long')),
    );
    socket.on('message', (bytes, isBinary) => this.#receive(bytes, isBinary));
    socket.on('ping', () => this.#hear());
    // Errors of a broken frame or a dead connection are followed by its end.
    socket.on('error', (error) => this.#complain(error.message));
    socket.on('close', () => this.#closed());
  }

  get hello(): Hello | null {
    return this.#hello;
  }

  /** Whether raft messages may come. */
  get isOpen(): boolean {
    return this.#verdict === 'raft';
  }

  /** To be called every `keepAliveMs`. The dialer pings, so a living one is heard. */
  keepAlive(): void {
    this.#silences = this.#heard ? 0 : this.#silences + 1;
    this.#heard = false;
    if (this.#silences > this.#context.timing.silencesMax) this.#socket.terminate();
    else if (this.#silences === 0) this.#knock();
    // Not sooner: the other side may refuse this node right after the handshake.
    if (this.isOpen && this.#isProven)
      this.#context.content(this.#key, `The connection of "${this.#hello?.name}"`);
    this.#isProven = this.isOpen;
  }

  /** To be called when the configuration is another one: judges the other side anew. */
  review(): void {
    const before = this.#verdict;
    if (this.#hello === null || before === null) return;
    const verdict = this.#context.judge(this.#hello);
    if (verdict.type === 'refuse') {
      this.#reject(verdict.error);
      return;
    }
    this.#verdict = verdict.type;
    if (verdict.type === 'handBirth' && before !== 'handBirth') this.#hand(verdict.birth);
    if (verdict.type === 'knock') this.#letAskAnew();
  }

  close(): void {
    this.#socket.terminate();
  }

  #receive(bytes: RawData, isBinary: boolean): void {
    // What still arrives behind a frame that ended the connection.
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#hear();
    try {
      if (!isBinary || !(bytes instanceof Uint8Array)) {
        throw new RollcallError('malformedFrame', 'Peers send binary frames');
      }
      const type = peerFrameType(bytes);
      if (!this.#isDue(type)) {
        throw new RollcallError('malformedFrame', `A frame of type ${type} out of turn`);
      }
      this.#process(decodePeerFrame(bytes));
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      this.#reject(error);
    }
  }

  #isDue(type: PeerFrame['type']): boolean {
    switch (type) {
      case 'hello':
        return this.#hello === null;
      case 'messages':
        return this.#verdict === 'raft';
      case 'birth':
        return this.#verdict === 'greet';
      case 'refusal':
        return true;
    }
  }

  #process(frame: PeerFrame): void {
    switch (frame.type) {
      case 'hello':
        this.#shakeHands(frame.hello);
        return;
      case 'messages':
        this.#deliver(frame.messages);
        return;
      case 'birth':
        if (this.#hello !== null) this.#context.birth(frame.birth, this.#hello);
        return;
      case 'refusal':
        this.#refused(frame.error);
        return;
    }
  }

  #refused(error: RollcallError): void {
    const index = this.isOpen ? removalIndexOf(error) : null;
    const lost = lossOf(error);
    const level = levelNeededOf(error);
    const by = this.#hello?.name;
    this.#close(error);
    if (index !== null) this.#context.removed(index);
    if (lost !== null && by !== undefined) this.#context.lost(lost, by);
    if (level !== null) this.#context.outdated(error, level);
  }

  #shakeHands(hello: Hello): void {
    this.#deadline?.cancel();
    this.#deadline = null;
    const verdict = this.#context.judge(hello);
    // The dialer learns who answers even when it is refused: its own log then names both.
    this.#send({ type: 'hello', hello: this.#context.hello(hello.lane, null) });
    if (hello.to !== null && hello.to !== this.#memberId) {
      // Somebody else was here before, whose place may now be this node's. Its connections are not.
      hangUp(this.#socket, this.#context.clock, 1002, 'Another member is here');
      return;
    }
    this.#hello = hello;
    if (verdict.type === 'refuse') {
      this.#reject(verdict.error);
      return;
    }
    this.#verdict = verdict.type;
    if (verdict.type === 'handBirth') this.#hand(verdict.birth);
    this.#shaken(hello);
    this.#knock();
  }

  #hand(birth: Birth): void {
    this.#send({ type: 'birth', birth });
  }

  /** It has been told of the members as they were: the one that can take it in may be elsewhere by now. */
  #letAskAnew(): void {
    this.#verdict = null;
    hangUp(this.#socket, this.#context.clock, 1000, 'The members are others now');
  }

  #knock(): void {
    const hello = this.#hello;
    if (hello?.lane === 'control' && this.#verdict === 'knock') this.#context.knock(hello);
  }

  #deliver(messages: readonly PeerMessage[]): void {
    for (const { from, to, type } of messages) {
      if (from !== this.#hello?.memberId || to !== this.#memberId) {
        throw new RollcallError('malformedFrame', `A message from ${from} to ${to}`);
      }
      if (laneOf(type) !== this.#hello.lane) {
        throw new RollcallError('malformedFrame', `A message ${type} in lane ${this.#hello.lane}`);
      }
    }
    this.#context.deliver(messages);
  }

  #reject(error: RollcallError): void {
    this.#send({ type: 'refusal', error });
    this.#close(error);
  }

  #close(error: RollcallError): void {
    this.#complain(error.message);
    this.#verdict = null;
    hangUp(this.#socket, this.#context.clock, 1002, error.code);
  }

  #closed(): void {
    this.#deadline?.cancel();
    const hello = this.#hello;
    if (this.isOpen && hello !== null) this.#context.unreachable(hello.memberId);
  }

  #complain(reason: string): void {
    // Without the port, which is new with every attempt: what lasts is told once.
    const host = this.#remote.replace(/:\d+$/, '');
    const who = this.#hello === null ? host : `"${this.#hello.name}" at ${host}`;
    this.#context.complain(
      this.#key,
      { remote: this.#remote },
      `Closed a peer connection of ${who}: ${reason}`,
    );
  }

  get #key(): string {
    // Ports change with every attempt, so a stranger is known by its host alone.
    return `from ${this.#hello?.memberId ?? this.#remote.replace(/:\d+$/, '')}`;
  }

  #hear(): void {
    this.#heard = true;
  }

  #send(frame: PeerFrame): void {
    this.#socket.send(encodePeerFrame(frame), { binary: true, compress: false }, () => {});
  }
}
