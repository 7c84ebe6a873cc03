import type { AddressInfo } from 'node:net';
import type { WebSocketServer } from 'ws';

/** Tells the parent the port; from then on this process lives as long as its parent does. */
export async function listening(server: WebSocketServer): Promise<void> {
  if (server.address() === null) await new Promise((resolve) => server.once('listening', resolve));
  process.on('disconnect', () => process.exit(0));
  process.send?.({ port: (server.address() as AddressInfo).port });
}
