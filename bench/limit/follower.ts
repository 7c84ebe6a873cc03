/**
 * A follower of the limit: appends what the leader ships and acknowledges its number once it is
 * durable; a frame of the number alone asks only whether this process is there.
 *
 *     node follower.js DIRECTORY
 *
 * Prints its port and ends with its parent, which holds the other end of the IPC channel.
 */
import { join } from 'node:path';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { DurableFile } from './durable-file.ts';
import { listening } from './listening.ts';

const numberBytes = 4;

function serve(socket: WebSocket, file: DurableFile): void {
  socket.on('message', (frame: RawData) => {
    const bytes = frame as Buffer;
    const acknowledge = () => socket.send(bytes.subarray(0, numberBytes));
    if (bytes.length === numberBytes) acknowledge();
    else file.append(bytes, acknowledge);
  });
}

const file = new DurableFile(join(process.argv[2] ?? '.', 'log'));
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: false,
  maxPayload: 64 * 1024 * 1024,
});
server.on('connection', (socket) => serve(socket, file));
await listening(server);
