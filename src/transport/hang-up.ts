import type { WebSocket } from 'ws';
import type { Clock } from '../base/clock.ts';

const closingMsMax = 1000;

/** Closes with what was already written, but waits only briefly for the other side to agree. */
export function hangUp(socket: WebSocket, clock: Clock, code: number, reason: string): void {
  if (socket.readyState !== socket.OPEN) {
    socket.terminate();
    return;
  }
  const timer = clock.after(closingMsMax, () => socket.terminate());
  socket.once('close', () => timer.cancel());
  // The protocol leaves 123 bytes for it.
  socket.close(
    code,
    Buffer.from(reason)
      .subarray(0, 120)
      .toString('latin1')
      .replace(/[^ -~]/g, '?'),
  );
}
