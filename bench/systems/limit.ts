import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { firstMessage, startModule } from '../processes.ts';
import type { Cluster } from './system.ts';

interface Listening {
  readonly port: number;
}

export async function startLimit(directory: string): Promise<Cluster> {
  const followers = await Promise.all(
    ['f1', 'f2'].map(async (name) => {
      const path = join(directory, name);
      await mkdir(path, { recursive: true });
      const child = startModule(new URL('../limit/follower.js', import.meta.url), [path]);
      const { port } = await firstMessage<Listening>(child, 'A follower of the limit');
      return { child, port };
    }),
  );
  const path = join(directory, 'leader');
  await mkdir(path, { recursive: true });
  const leader = startModule(new URL('../limit/leader.js', import.meta.url), [
    path,
    ...followers.map(({ port }) => String(port)),
  ]);
  const { port } = await firstMessage<Listening>(leader, 'The leader of the limit');
  return {
    name: 'limit',
    driver: 'frames',
    processes: [leader, ...followers.map(({ child }) => child)],
    leader: async () => `127.0.0.1:${port}`,
  };
}
