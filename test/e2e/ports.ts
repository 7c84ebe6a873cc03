/**
 * Ports for the servers of a test, below those that systems give to outgoing connections: a server that
 * is stopped and started again finds its port still free. Each test worker has a range of its own.
 */
import { createServer } from 'node:net';

const rangeStart = 10_000;
const rangeLength = 4_000;
const ranges = 5;
/** Of six ports in a row of nodes, as `rollcall dev` lays them out. */
const blockOffsets = [0, 1, 10, 11, 20, 21] as const;
const blockLength = 22;

const { VITEST_POOL_ID = '0' } = process.env;
const worker = Number(VITEST_POOL_ID) % ranges;
const start = rangeStart + worker * rangeLength;
// Another run of the tests may go on beside this one.
let used = Math.floor(Math.random() * rangeLength);

/** So many ports, all different and never given before by this process. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = start + (used++ % rangeLength);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

/** The first port of a block that is free for `rollcall dev --port`. */
export async function freeBlock(): Promise<number> {
  for (;;) {
    const first = start + (used % (rangeLength - blockLength));
    used += blockLength;
    const free = await Promise.all(blockOffsets.map((offset) => isFree(first + offset)));
    if (free.every(Boolean)) return first;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
