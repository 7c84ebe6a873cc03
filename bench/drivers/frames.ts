/**
 * Speaks `rollcall.v1` over a bare TCP socket. The generator shares its cores with the servers, so
 * it must cost next to nothing: each slot keeps its request ready as bytes and only patches the key,
 * WebSocket frames are made and read by hand (masked with zeros, never fragmented), and what is
 * answered together is asked again together, in one frame. Only answers are decoded in full.
 */
import { randomBytes } from 'node:crypto';
import { connect as connectSocket, type Socket } from 'node:net';
import { Packr, Unpackr } from 'msgpackr';
import { keyDigits, keyOf, keyPrefix, type Operation, valueBytes } from '../load/loads.ts';
import type { Connect, Connection, ConnectOptions } from './driver.ts';

type Answer = readonly [id: number, kind: number, body: unknown];
interface RangeBody {
  readonly pairs: readonly { readonly value: Uint8Array }[];
}

// An id above 16 bits always takes five bytes, so that all requests have the same layout.
const idBase = 0x10000;
const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

export const connectFrames: Connect = async (options) => {
  const [host = '', port = ''] = options.endpoint.split(':');
  const socket = connectSocket({ host, port: Number(port), noDelay: true });
  await upgrade(socket, options.endpoint);
  return new FrameConnection(socket, options);
};

class FrameConnection implements Connection {
  readonly #socket: Socket;
  readonly #options: ConnectOptions;
  readonly #requests: readonly Buffer[];
  readonly #keyOffset: number;
  #gathered: number[] = [];
  #rest: Buffer | null = null;
  #isClosed = false;

  constructor(socket: Socket, options: ConnectOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#requests = Array.from({ length: options.outstanding }, (_, slot) =>
      requestBytes(slot, options.operation),
    );
    this.#keyOffset = (this.#requests[0]?.indexOf(keyPrefix) ?? 0) + keyPrefix.length;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!this.#isClosed) options.lost('The server closed the connection');
    });
    socket.resume();
  }

  send(slot: number, key: number): void {
    const request = this.#requests[slot];
    if (request === undefined) throw new RangeError(`No slot ${slot}`);
    let digits = key;
    for (let at = this.#keyOffset + keyDigits - 1; at >= this.#keyOffset; at--) {
      request[at] = 48 + (digits % 10);
      digits = Math.floor(digits / 10);
    }
    this.#gathered.push(slot);
  }

  flush(): void {
    const slots = this.#gathered;
    if (slots.length === 0) return;
    this.#gathered = [];
    let bytes = 0;
    for (const slot of slots) bytes += this.#requests[slot]?.length ?? 0;
    const arrayBytes = slots.length < 16 ? 1 : 3;
    const frame = Buffer.allocUnsafe(14 + arrayBytes + bytes);
    let at = writeFrameHeader(frame, arrayBytes + bytes);
    if (slots.length < 16) frame[at++] = 0x90 | slots.length;
    else {
      frame[at++] = 0xdc;
      at = frame.writeUInt16BE(slots.length, at);
    }
    for (const slot of slots) {
      const request = this.#requests[slot];
      if (request !== undefined) at += request.copy(frame, at);
    }
    this.#socket.write(frame.subarray(0, at));
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const frame = readFrame(bytes);
      if (frame === null) break;
      if (frame.opcode === 2) this.#take(bytes.subarray(frame.start, frame.end));
      bytes = bytes.subarray(frame.end);
    }
    this.#rest = bytes.length === 0 ? null : bytes;
    this.flush();
  }

  #take(payload: Buffer): void {
    const [, answers] = unpackr.unpack(payload) as [unknown, Answer[]];
    for (const [id, kind, body] of answers) {
      if (id === 0) continue;
      this.#options.answered(id - idBase, this.#failure(kind, body));
    }
  }

  #failure(kind: number, body: unknown): string | null {
    if (kind !== 0) return JSON.stringify(body);
    if (this.#options.operation === 'put') return null;
    const length = (body as RangeBody).pairs[0]?.value.length;
    return length === valueBytes ? null : `A get answered with ${length ?? 'no'} bytes`;
  }
}

function requestBytes(slot: number, operation: Operation): Buffer {
  const value = new Uint8Array(randomBytes(valueBytes));
  const request =
    operation === 'put'
      ? [idBase + slot, 'put', { key: keyOf(0), value }]
      : [idBase + slot, 'range', { key: keyOf(0) }];
  return Buffer.from(packr.pack(request));
}

/** A final binary frame with a mask of zeros, as a client must mask. Returns where the payload begins. */
function writeFrameHeader(frame: Buffer, payloadBytes: number): number {
  frame[0] = 0x82;
  let at = 2;
  if (payloadBytes < 126) frame[1] = 0x80 | payloadBytes;
  else if (payloadBytes < 0x10000) {
    frame[1] = 0x80 | 126;
    at = frame.writeUInt16BE(payloadBytes, at);
  } else {
    frame[1] = 0x80 | 127;
    at = frame.writeBigUInt64BE(BigInt(payloadBytes), at);
  }
  return frame.writeUInt32BE(0, at);
}

function readFrame(
  bytes: Buffer,
): { readonly opcode: number; readonly start: number; readonly end: number } | null {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return null;
  let start = 2;
  let length = second;
  if (second === 126) {
    if (bytes.length < 4) return null;
    length = bytes.readUInt16BE(2);
    start = 4;
  } else if (second === 127) {
    if (bytes.length < 10) return null;
    length = Number(bytes.readBigUInt64BE(2));
    start = 10;
  }
  const end = start + length;
  return bytes.length < end ? null : { opcode: first & 0x0f, start, end };
}

/** The WebSocket handshake. Leaves the socket paused, what came behind the answer put back into it. */
async function upgrade(socket: Socket, endpoint: string): Promise<void> {
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${endpoint}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: rollcall.v1\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  );
  await new Promise<void>((resolve, reject) => {
    let head = Buffer.alloc(0);
    const read = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', read);
      socket.off('error', reject);
      socket.pause();
      if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
      const status = head.toString('latin1', 0, head.indexOf('\r\n'));
      if (status.startsWith('HTTP/1.1 101')) resolve();
      else reject(new Error(`The handshake with ${endpoint} answered ${status}`));
    };
    socket.on('data', read);
    socket.on('error', reject);
  });
}
