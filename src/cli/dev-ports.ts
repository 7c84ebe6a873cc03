import { createServer } from 'node:net';
import { RollcallError } from '../base/errors.ts';
import type { PlannedNode } from './dev-plan.ts';

/** Tries every port before anything is started, so that no cluster comes up by half. */
export async function checkPorts(nodes: readonly PlannedNode[]): Promise<void> {
  for (const { name, clientPort, peerPort } of nodes) {
    await checkPort(clientPort, `the clients of ${name}`);
    await checkPort(peerPort, `the peers of ${name}`);
  }
}

function checkPort(port: number, purpose: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const message =
        error.code === 'EADDRINUSE'
          ? `Port ${port} for ${purpose} is in use: stop what listens there or choose another --port`
          : `Port ${port} for ${purpose} cannot be used: ${error.message}`;
      reject(new RollcallError('addressInUse', message, { cause: error }));
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}
