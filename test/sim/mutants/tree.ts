import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';

/** A copy of the built program and simulator, in which one file at a time is another one. */
export class MutantTree {
  readonly #directory: string;
  /** The file that is another one now, and what it was. */
  #replaced: { readonly path: string; readonly text: string } | null = null;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** `root` is the project's directory; what is built there is copied. */
  static async make(root: string): Promise<MutantTree> {
    const directory = await mkdtemp(join(tmpdir(), 'rollcall-mutants-'));
    for (const part of ['src', 'test/sim']) {
      await cp(join(root, 'dist', part), join(directory, 'dist', part), {
        recursive: true,
        filter: (path) => !/\.ts$/.test(path),
      });
    }
    await cp(join(root, 'package.json'), join(directory, 'package.json'));
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'), 'dir');
    return new MutantTree(directory);
  }

  /** What runs the seeds that it is sent on this copy. */
  get worker(): string {
    return join(this.#directory, 'dist/test/sim/programs/worker.js');
  }

  /** `npm run sim` for this copy. */
  get simulator(): string {
    return join(this.#directory, 'dist/test/sim/programs/sim.js');
  }

  /** Puts `text` in place of what was built from the source `file`; what was replaced before is back. */
  async replace(file: string, text: string): Promise<void> {
    await this.restore();
    const path = join(this.#directory, 'dist', `${file.slice(0, -extname(file).length)}.js`);
    this.#replaced = { path, text: await readFile(path, 'utf8') };
    await writeFile(path, text);
  }

  /** Makes the copy equal to what was built. */
  async restore(): Promise<void> {
    if (this.#replaced !== null) await writeFile(this.#replaced.path, this.#replaced.text);
    this.#replaced = null;
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true });
  }
}
