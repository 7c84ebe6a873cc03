import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { limits } from '../base/limits.ts';
import { subprotocol } from '../wire/frame.ts';

/** How long a dial may take, unless its caller says otherwise. */
const handshakeMsMax = 2000;
/** What is read of a refusal. */
const refusalLengthMax = 300;

/** One socket to one endpoint, as a connection uses it. */
export interface Socket {
  /** The handshake is done and the socket has not closed since. */
  readonly isOpen: boolean;
  /** What was sent and has not left this process. */
  readonly unsentBytes: number;
  send(frame: Uint8Array): void;
  /** Calls back once everything sent so far has been written out. */
  onceWritten(callback: () => void): void;
  /** Ends it at once and without a word. `closed` may still be called. */
  terminate(): void;
}

export interface SocketEvents {
  opened(): void;
  received(bytes: Uint8Array, isBinary: boolean): void;
  /** The last event, also of a dial that failed. `error` is null when the other side closed. */
  closed(reason: string, error: Error | null): void;
}

/** Begins to dial and says later how it went. Throws when the address is none. */
export type Dial = (address: string, events: SocketEvents) => Socket;

export const dialWebSocket: Dial = (address, events) => dialWithin(handshakeMsMax, address, events);

export function dialWithin(
  handshakeTimeout: number,
  address: string,
  events: SocketEvents,
): Socket {
  const socket = new WebSocket(`ws://${address}`, subprotocol, {
    perMessageDeflate: false,
    handshakeTimeout,
    maxPayload: limits.serverFrameBytesMax,
    // Masks protect proxies from scripts in browsers; between programs they only cost time.
    generateMask: (mask) => mask.fill(0),
  });
  let error: Error | null = null;
  socket.on('open', () => events.opened());
  socket.on('message', (bytes, isBinary) => events.received(bytes as Buffer, isBinary));
  socket.on('error', (first) => {
    error ??= first;
  });
  socket.on('unexpected-response', async (_request, response) => {
    error ??= new Error(`it answered HTTP ${response.statusCode}: ${await refusalOf(response)}`);
    socket.terminate();
  });
  socket.on('close', (code, text) => {
    const said = text.length > 0 ? text.toString() : `close code ${code}`;
    events.closed(said, error);
  });
  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    get unsentBytes() {
      return socket.bufferedAmount;
    },
    send: (frame) => socket.send(frame),
    // An empty ping's callback says when what stands before it has been written out.
    onceWritten: (callback) => socket.ping(undefined, undefined, callback),
    terminate: () => socket.terminate(),
  };
}

/** The first line of what a server says that is no node, or is asked at the wrong port. */
async function refusalOf(response: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const chunk of response.setEncoding('latin1')) {
      text += chunk;
      if (text.length > refusalLengthMax) break;
    }
  } catch {
    // What came before the connection broke is all there is.
  }
  const [line = ''] = text.slice(0, refusalLengthMax).split(/[\r\n]/);
  return line.replace(/[^\x20-\x7e]+/g, '?') || String(response.statusMessage);
}
