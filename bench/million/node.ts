/** One node of its own, with a client, and what it takes. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '../../src/client/index.ts';
import { assertAlive, freePorts, residentMebibytes, Server } from '../processes.ts';

const program = fileURLToPath(new URL('../../../bin/rollcall.js', import.meta.url));
const startMsMax = 300_000;
const mebi = 1024 * 1024;

export class LoneNode {
  readonly client: Client;
  readonly #server: Server;
  readonly #dataDirectory: string;
  readonly #endpoint: string;

  private constructor(server: Server, dataDirectory: string, endpoint: string, client: Client) {
    this.#server = server;
    this.#dataDirectory = dataDirectory;
    this.#endpoint = endpoint;
    this.client = client;
  }

  static async start(directory: string): Promise<LoneNode> {
    const [client, peer] = await freePorts(2);
    await mkdir(directory, { recursive: true });
    const endpoint = `127.0.0.1:${client}`;
    const dataDirectory = join(directory, 'data');
    // All history stays until it is compacted by request.
    const parameters = [
      ...[program, 'server', '--name', 'n1', '--data-dir', dataDirectory],
      ...['--client-listen', endpoint, '--peer-listen', `127.0.0.1:${peer}`],
      ...['--history-age', '0s', '--history-revisions', '0', '--quota-mib', '1000000'],
    ];
    const server = new Server(process.execPath, parameters, join(directory, 'n1.log'));
    const own = await connect({ endpoints: [endpoint], requestTimeoutMs: 60_000 });
    return new LoneNode(server, dataDirectory, endpoint, own);
  }

  get residentMebibytes(): number {
    return residentMebibytes([this.#server.process.pid ?? 0])[0] ?? 0;
  }

  /** Stops it and starts it again; the seconds from its start until it answers a linearizable read. */
  async restart(): Promise<number> {
    this.#server.process.kill('SIGTERM');
    await this.#server.ended();
    const startMs = performance.now();
    this.#server.startAgain();
    while (performance.now() - startMs < startMsMax) {
      assertAlive([this.#server.process]);
      const isReady = await fetch(`http://${this.#endpoint}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) break;
      await delay(20);
    }
    return (performance.now() - startMs) / 1000;
  }

  /** What all files of the data directory take on the disk. */
  async diskMebibytes(): Promise<number> {
    const entries = await readdir(this.#dataDirectory, { recursive: true, withFileTypes: true });
    let bytes = 0;
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      // LevelDB removes files by itself meanwhile.
      const found = await stat(join(entry.parentPath, entry.name)).catch(() => null);
      bytes += (found?.blocks ?? 0) * 512;
    }
    return bytes / mebi;
  }
}
