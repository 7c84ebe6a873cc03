/**
 * An HTTP server that holds out against half-open and slow clients, and the small answers that both
 * ports give to whoever does not belong there. A connection is *pending* until it was upgraded; there
 * are at most `pendingMax` of these, and a new one pushes the oldest out, so that a flood of
 * connections that never finish their handshake cannot keep out one that does.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Address, formatAddress, parseAddress } from '../base/address.ts';
import { RollcallError } from '../base/errors.ts';

export interface GuardBounds {
  /** Upgraded connections. */
  readonly connectionsMax: number;
  readonly pendingMax: number;
  /** From connecting to the end of the request's head. */
  readonly headersTimeoutMs: number;
  /** From connecting to the end of the whole request. */
  readonly requestTimeoutMs: number;
}

export interface GuardHandlers {
  readonly request: (request: IncomingMessage, response: ServerResponse) => void;
  /** The socket is a plain one; the handler owns it. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export function createGuardedServer(bounds: GuardBounds, handlers: GuardHandlers): Server {
  const server = createServer({
    headersTimeout: bounds.headersTimeoutMs,
    requestTimeout: bounds.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, Math.ceil(bounds.headersTimeoutMs / 2)),
    keepAliveTimeout: bounds.headersTimeoutMs,
    maxHeaderSize: 8192,
    noDelay: true,
  });
  // In order of arrival.
  const pending = new Set<Socket>();
  let upgraded = 0;
  server.maxConnections = bounds.connectionsMax + bounds.pendingMax;
  server.on('connection', (socket: Socket) => {
    pending.add(socket);
    socket.once('close', () => pending.delete(socket));
    if (pending.size <= bounds.pendingMax) return;
    const [oldest] = pending;
    oldest?.destroy();
  });
  server.on('clientError', (_error, socket) => refuseUpgrade(socket, 400, 'Malformed request'));
  server.on('request', handlers.request);
  server.on('upgrade', (request, socket, head) => {
    pending.delete(request.socket);
    // Errors of a dead connection come with its closing, which is all that matters.
    socket.on('error', () => socket.destroy());
    if (upgraded >= bounds.connectionsMax) {
      refuseUpgrade(socket, 503, 'Too many connections');
      return;
    }
    upgraded++;
    socket.once('close', () => upgraded--);
    handlers.upgrade(request, socket, head);
  });
  return server;
}

/** Answers an upgrade request, or what is no request at all, with an error and closes. */
export function refuseUpgrade(socket: Duplex, status: number, reason: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${reason}\n`;
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\n` +
      `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** Resolves to the address that the system gave, which names the port where `address` has 0. */
export function listen(server: Server, address: string): Promise<Address> {
  const { host, port } = parseAddress(address);
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(listenError(address, error));
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      const bound = server.address();
      resolve({ host, port: typeof bound === 'object' && bound !== null ? bound.port : port });
    });
  });
}

/** Ends the server and every connection that it still has. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function listenError(address: string, cause: NodeJS.ErrnoException): RollcallError {
  const shown = formatAddress(parseAddress(address));
  if (cause.code === 'EADDRINUSE') {
    return new RollcallError('addressInUse', `Another process listens on ${shown}`, { cause });
  }
  return new RollcallError('invalidArgument', `Cannot listen on ${shown}: ${cause.code}`, {
    cause,
  });
}
