/** One real node in this process, on a directory of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, connect } from '../../src/client/index.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';

export class TestServer {
  readonly #directory: string;
  readonly #server: RunningServer;
  readonly #clients: Client[] = [];

  private constructor(directory: string, server: RunningServer) {
    this.#directory = directory;
    this.#server = server;
  }

  static async start(): Promise<TestServer> {
    const directory = await mkdtemp(join(tmpdir(), 'rollcall-client-'));
    const server = await startServer({
      ...{ name: 'n1', dataDirectory: join(directory, 'n1'), logLevel: 'silent' },
      ...{ clientListen: '127.0.0.1:0', peerListen: '127.0.0.1:0' },
    });
    await server.born;
    return new TestServer(directory, server);
  }

  get address(): string {
    return this.#server.clientAddress;
  }

  /** Closed by itself in the end. */
  async connect(address = this.address): Promise<Client> {
    const client = await connect({ endpoints: [address], learnEndpoints: false });
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.#server.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
