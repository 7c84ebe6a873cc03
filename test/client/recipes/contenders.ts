import { expect } from 'vitest';
import type { Client } from '../../../src/client/index.ts';

/** Resolves when so many stand in line under this name, each with a key of its own. */
export async function contenders(client: Client, name: string, count: number): Promise<void> {
  const asked = async () => (await client.range({ prefix: `${name}/` })).count;
  await expect.poll(asked, { timeout: 20_000 }).toBe(count);
}
