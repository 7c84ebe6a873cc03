import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { Mutant } from './mutant.ts';

/** The source with the mutant's patch. Throws unless there is exactly one place for it. */
export function mutated({ name, file, find, replace }: Mutant, source: string): string {
  const places = source.split(find).length - 1;
  if (places !== 1) throw new Error(`${name}: its place is found ${places} times in ${file}`);
  return source.replace(find, () => replace);
}

/**
 * Compiles mutated sources as the build does. A mutant must be a valid program: otherwise it would be
 * caught by what it breaks by accident. Only what it leaves unused is forgiven.
 */
export class MutantCompiler {
  readonly #root: string;
  readonly #options: ts.CompilerOptions;
  readonly #fileNames: readonly string[];
  readonly #host: ts.CompilerHost;
  readonly #sources = new Map<string, ts.SourceFile>();
  #program: ts.Program | undefined;

  constructor(root: string) {
    this.#root = root;
    const path = join(root, 'tsconfig.json');
    const parsed = ts.getParsedCommandLineOfConfigFile(
      path,
      { noUnusedLocals: false, noUnusedParameters: false, incremental: false, declaration: false },
      { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (diagnostic) => fail([diagnostic]) },
    );
    if (parsed === undefined) throw new Error(`${path} cannot be read`);
    const { tsBuildInfoFile: _, ...options } = parsed.options;
    this.#options = options;
    this.#fileNames = parsed.fileNames.filter((name) => name.startsWith(join(root, 'src')));
    this.#host = ts.createCompilerHost(options);
  }

  /** The mutated file as JavaScript. */
  compile(mutant: Mutant): string {
    const path = join(this.#root, mutant.file);
    const text = mutated(mutant, readFileSync(path, 'utf8'));
    const program = this.#compileWith(path, text);
    const file = program.getSourceFile(path);
    const problems = [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ];
    if (problems.length > 0) fail(problems, `${mutant.name} is not a valid program: `);
    let output: string | null = null;
    program.emit(file, (_, js) => {
      output = js;
    });
    if (output === null) throw new Error(`${mutant.name} compiles to nothing`);
    return output;
  }

  /** All other files are parsed once for all mutants. */
  #compileWith(path: string, text: string): ts.Program {
    const host: ts.CompilerHost = {
      ...this.#host,
      getSourceFile: (name, version) => {
        if (name === path) return ts.createSourceFile(name, text, version, true);
        const known = this.#sources.get(name) ?? this.#host.getSourceFile(name, version);
        if (known !== undefined) this.#sources.set(name, known);
        return known;
      },
    };
    this.#program = ts.createProgram(this.#fileNames, this.#options, host, this.#program);
    return this.#program;
  }
}

function fail(problems: readonly ts.Diagnostic[], before = ''): never {
  const texts = problems.map(({ messageText }) =>
    ts.flattenDiagnosticMessageText(messageText, ' '),
  );
  throw new Error(`${before}${texts.join('; ')}`);
}
