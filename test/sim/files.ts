/**
 * Simulated Files. Nothing survives a power cut but what was synced: bytes by `sync` of their file,
 * names by `syncDirectory` of their directory. The rest survives in any part and combination. A
 * directory may hold a database, which goes where the directory goes.
 */
import { RollcallError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/prng.ts';
import { diskError } from '../../src/storage/disk-error.ts';
import type { File, Files, OpenLevel } from '../../src/storage/types.ts';
import { type CutMode, FileContent } from './file-content.ts';
import { type SimulatedLevelOptions, SimulatedLevelStore } from './level.ts';
import { Power, powerCut } from './power.ts';

export interface FileOperation {
  readonly kind:
    | 'open'
    | 'list'
    | 'makeDirectory'
    | 'rename'
    | 'remove'
    | 'removeDirectory'
    | 'syncDirectory'
    | 'size'
    | 'read'
    | 'write'
    | 'writeDurably'
    | 'sync';
  readonly path: string;
  /** A write that needs more room than the file has. */
  readonly grows: boolean;
}

export interface SimulatedFilesOptions extends SimulatedLevelOptions {
  /** Called before an operation takes effect. It may wait, and may throw to make the operation fail. */
  readonly before?: (operation: FileOperation) => void | Promise<void>;
  /** Much unless given. */
  readonly freeBytes?: () => number;
}

type Node = FileContent | Directory;

interface Directory {
  readonly seen: Map<string, Node>;
  readonly durable: Map<string, Node>;
  /** As durable as LevelDB makes it by itself. */
  database: SimulatedLevelStore | null;
}

/** A file or directory as it was at some time. */
export interface Copy {
  readonly node: Node;
}

/** One change of names; all of it survives a power cut or nothing. */
type NameChange = readonly {
  readonly directory: Directory;
  readonly name: string;
  readonly node: Node | null;
}[];

/** A directory with all that is in it, and what was changed about names and is not durable. */
interface Names {
  readonly root: Directory;
  readonly nameChanges: readonly NameChange[];
}

export class SimulatedFiles implements Files {
  readonly #options: SimulatedFilesOptions;
  readonly #power: Power;
  readonly #root: Directory;
  #nameChanges: readonly NameChange[];

  constructor(
    options: SimulatedFilesOptions = {},
    { root, nameChanges }: Names = { root: emptyDirectory(), nameChanges: [] },
  ) {
    this.#options = options;
    this.#power = options.power ?? new Power();
    this.#root = root;
    this.#nameChanges = nameChanges;
  }

  async open(path: string, options: { readonly create: boolean }): Promise<File | null> {
    await this.#begin('open', path);
    const existing = this.#find(path);
    if (existing === null && !options.create) return null;
    if (existing === null) {
      const content = new FileContent();
      this.#change([{ ...this.#place(path), node: content }]);
      return new SimulatedFile(content, path, this.#options, this.#power);
    }
    if (!(existing instanceof FileContent)) throw failed(`${path} is a directory`);
    return new SimulatedFile(existing, path, this.#options, this.#power);
  }

  async list(path: string): Promise<readonly string[]> {
    await this.#begin('list', path);
    const directory = this.#find(path);
    if (directory === null) return [];
    if (directory instanceof FileContent) throw failed(`${path} is a file`);
    const files = directory.database === null ? [] : ['CURRENT'];
    return [...directory.seen.keys(), ...files].sort();
  }

  readonly openLevel: OpenLevel = async (path) => {
    this.#power.check();
    if (this.#find(path) === null) await this.makeDirectory(path);
    const directory = this.#find(path);
    if (directory === null || directory instanceof FileContent) throw failed(`${path} is a file`);
    directory.database ??= new SimulatedLevelStore(this.#options);
    return await directory.database.open(path);
  };

  async makeDirectory(path: string): Promise<void> {
    await this.#begin('makeDirectory', path);
    if (this.#find(path) !== null) return;
    this.#change([{ ...this.#place(path), node: emptyDirectory() }]);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin('rename', from);
    const node = this.#find(from);
    if (node === null) throw failed(`${from} does not exist`);
    this.#change([
      { ...this.#place(from), node: null },
      { ...this.#place(to), node },
    ]);
  }

  async remove(path: string): Promise<void> {
    await this.#begin('remove', path);
    if (this.#find(path) === null) return;
    this.#change([{ ...this.#place(path), node: null }]);
  }

  async removeDirectory(path: string): Promise<void> {
    await this.#begin('removeDirectory', path);
    const directory = this.#find(path);
    if (directory === null) return;
    if (directory instanceof FileContent) {
      this.#change([{ ...this.#place(path), node: null }]);
      return;
    }
    for (const name of [...directory.seen.keys()]) {
      this.#change([{ directory, name, node: null }]);
    }
    if (directory.database !== null) {
      const isCut = this.#power.change();
      directory.database.lose();
      if (isCut) throw powerCut();
    }
    this.#change([{ ...this.#place(path), node: null }]);
  }

  async freeBytes(): Promise<number> {
    return this.#options.freeBytes?.() ?? 2 ** 40;
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#begin('syncDirectory', path);
    const directory = this.#find(path);
    if (directory === null || directory instanceof FileContent) throw failed(`${path} is missing`);
    if (this.#power.change()) throw powerCut();
    this.#nameChanges = this.#nameChanges
      .map((change) => change.filter((part) => part.directory !== directory))
      .filter((change) => change.length > 0);
    directory.durable.clear();
    for (const [name, node] of directory.seen) directory.durable.set(name, node);
  }

  async close(): Promise<void> {}

  /**
   * Cuts the power, or kills the process, and returns what is there after the next start. This object
   * is dead afterwards.
   */
  cut(mode: CutMode, random: Random, options: SimulatedFilesOptions = {}): SimulatedFiles {
    this.#power.off();
    const copy = new Cut(mode, random, options);
    if (mode === 'kill')
      return new SimulatedFiles(options, copy.names(this.#root, this.#nameChanges));
    for (const change of this.#nameChanges) {
      if (mode === 'drop' || (mode === 'random' && random() < 0.5)) continue;
      for (const { directory, name, node } of change) set(directory.durable, name, node);
    }
    return new SimulatedFiles(options, copy.names(this.#root, []));
  }

  /** Everything in a file, as a reader would see it; null when there is no such file. */
  content(path: string): FileContent | null {
    const node = this.#find(path);
    return node instanceof FileContent ? node : null;
  }

  /** The database in a directory; null when there is none. */
  database(path: string): SimulatedLevelStore | null {
    const node = this.#find(path);
    return node === null || node instanceof FileContent ? null : node.database;
  }

  /** The names in a directory; empty when there is none. */
  names(path: string): readonly string[] {
    const node = this.#find(path);
    return node === null || node instanceof FileContent ? [] : [...node.seen.keys()].sort();
  }

  /** What stands at a path now, to be put back later; null when there is nothing. */
  copy(path: string): Copy | null {
    const node = this.#find(path);
    return node === null ? null : { node: copyOf(node, this.#options) };
  }

  /** Puts an older copy in the place of what stands there now, for good. Nobody may have that open. */
  putBack(path: string, { node }: Copy): void {
    const copy = copyOf(node, this.#options);
    if (path !== '') {
      const { directory, name } = this.#place(path);
      directory.seen.set(name, copy);
      directory.durable.set(name, copy);
      return;
    }
    if (copy instanceof FileContent) throw failed('A data directory is no file');
    this.#nameChanges = [];
    for (const names of [this.#root.seen, this.#root.durable]) {
      names.clear();
      for (const [name, one] of copy.seen) names.set(name, one);
    }
  }

  /** Loses a name for good, as a mistaken operator would. */
  lose(path: string): void {
    const { directory, name } = this.#place(path);
    directory.seen.delete(name);
    directory.durable.delete(name);
  }

  async #begin(kind: FileOperation['kind'], path: string): Promise<void> {
    await begin({ kind, path, grows: false }, this.#options, this.#power);
  }

  #change(change: NameChange): void {
    const isCut = this.#power.change();
    for (const { directory, name, node } of change) set(directory.seen, name, node);
    this.#nameChanges = [...this.#nameChanges, change];
    if (isCut) throw powerCut();
  }

  #find(path: string): Node | null {
    let node: Node = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const next: Node | undefined = node instanceof FileContent ? undefined : node.seen.get(name);
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  #place(path: string): { readonly directory: Directory; readonly name: string } {
    const at = path.lastIndexOf('/');
    const directory = this.#find(path.slice(0, Math.max(at, 0)));
    if (directory === null || directory instanceof FileContent) {
      throw failed(`The directory of ${path} does not exist`);
    }
    return { directory, name: path.slice(at + 1) };
  }
}

class SimulatedFile implements File {
  readonly #content: FileContent;
  readonly #path: string;
  readonly #options: SimulatedFilesOptions;
  readonly #power: Power;
  #isClosed = false;

  constructor(content: FileContent, path: string, options: SimulatedFilesOptions, power: Power) {
    this.#content = content;
    this.#path = path;
    this.#options = options;
    this.#power = power;
  }

  async size(): Promise<number> {
    await this.#begin('size');
    return this.#content.size;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    await this.#begin('read');
    return this.#content.read(position, length);
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    await this.#begin('write', position + bytes.length);
    const isCut = this.#power.change();
    this.#content.write(position, bytes);
    if (isCut) throw powerCut();
  }

  async writeDurably(position: number, bytes: Uint8Array): Promise<void> {
    const end = this.#content.begin(position, bytes);
    try {
      await this.#begin('writeDurably', position + bytes.length);
    } catch (error) {
      this.#content.lose([this.#content.write(position, bytes)]);
      throw error;
    } finally {
      end();
    }
    const isCut = this.#power.change();
    const write = this.#content.write(position, bytes);
    if (isCut) throw powerCut();
    this.#content.makeDurable([write]);
  }

  async sync(): Promise<void> {
    const covered = this.#content.unsynced();
    try {
      await this.#begin('sync');
    } catch (error) {
      this.#content.lose(covered);
      throw error;
    }
    if (this.#power.change()) throw powerCut();
    this.#content.makeDurable(covered);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  async #begin(kind: FileOperation['kind'], end = 0): Promise<void> {
    if (this.#isClosed) throw failed(`${this.#path} is closed`);
    const grows = end > this.#content.size;
    await begin({ kind, path: this.#path, grows }, this.#options, this.#power);
  }
}

async function begin(
  operation: FileOperation,
  options: SimulatedFilesOptions,
  power: Power,
): Promise<void> {
  power.check();
  try {
    await options.before?.(operation);
  } catch (cause) {
    throw diskError(operation.kind, operation.path, cause);
  }
  power.check();
}

/** What is left of files and directories; what had two names is one thing again. */
class Cut {
  readonly #mode: CutMode;
  readonly #random: Random;
  readonly #options: SimulatedFilesOptions;
  readonly #left = new Map<Node, Node>();

  constructor(mode: CutMode, random: Random, options: SimulatedFilesOptions) {
    this.#mode = mode;
    this.#random = random;
    this.#options = options;
  }

  names(root: Directory, nameChanges: readonly NameChange[]): Names {
    return {
      root: this.#directory(root),
      nameChanges: nameChanges.map((change) =>
        change.map(({ directory, name, node }) => ({
          directory: this.#directory(directory),
          name,
          node: node === null ? null : this.#node(node),
        })),
      ),
    };
  }

  #node(node: Node): Node {
    if (!(node instanceof FileContent)) return this.#directory(node);
    const known = this.#left.get(node);
    const left = known ?? node.cut(this.#mode, this.#random);
    this.#left.set(node, left);
    return left;
  }

  #directory(directory: Directory): Directory {
    const known = this.#left.get(directory);
    if (known !== undefined && !(known instanceof FileContent)) return known;
    const left = emptyDirectory();
    this.#left.set(directory, left);
    left.database = directory.database?.cut(this.#random, this.#options) ?? null;
    for (const [name, node] of directory.durable) left.durable.set(name, this.#node(node));
    // A killed process leaves the names that it had made; the power takes them.
    const seen = this.#mode === 'kill' ? directory.seen : directory.durable;
    for (const [name, node] of seen) left.seen.set(name, this.#node(node));
    return left;
  }
}

/** As it is seen, and all of it durable. */
function copyOf(node: Node, options: SimulatedFilesOptions): Node {
  if (node instanceof FileContent) return node.copy();
  const copy = emptyDirectory();
  copy.database = node.database?.copy(options) ?? null;
  for (const [name, one] of node.seen) {
    const left = copyOf(one, options);
    copy.seen.set(name, left);
    copy.durable.set(name, left);
  }
  return copy;
}

function emptyDirectory(): Directory {
  return { seen: new Map(), durable: new Map(), database: null };
}

function set(names: Map<string, Node>, name: string, node: Node | null): void {
  if (node === null) names.delete(name);
  else names.set(name, node);
}

function failed(message: string): RollcallError {
  return new RollcallError('storageFailed', message);
}
