/**
 * The protocol as a set of readable traces: each file in testdata is a story of commands with what
 * the members did. `vitest -u` records them anew; then read the difference.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Interaction } from './interaction.ts';

const folder = new URL('testdata/', import.meta.url);

/** Keeps comments and blank lines, runs each command, replaces what stood under its `----`. */
function replay(text: string): string {
  const interaction = new Interaction();
  const blocks = text.trimEnd().split(/\n{2,}/);
  const replayed = blocks.map((block) => {
    const lines = block.split('\n');
    const source = lines.slice(0, lines.includes('----') ? lines.indexOf('----') : lines.length);
    const commands = source.filter((line) => !line.startsWith('#'));
    if (commands.length === 0) return block;
    const printed = commands.map((line) => interaction.run(line)).filter((line) => line !== 'ok');
    return [...source, '----', printed.join('\n') || 'ok'].join('\n');
  });
  return `${replayed.join('\n\n')}\n`;
}

for (const file of readdirSync(folder).sort()) {
  test(`Trace ${file}`, async () => {
    const path = new URL(file, folder).pathname;
    await expect(replay(readFileSync(path, 'utf8'))).toMatchFileSnapshot(path);
  });
}
