/**
 * Makes a fresh clone runnable: installs the dependencies that package-lock.json names and builds what
 * has changed since the last build. Says what it does; says nothing when there is nothing to do.
 *
 * There are no imports at the top: an old Node must get as far as the sentence that says it is too old.
 */
const nodeMin = [20, 19];

/** Resolves once the program can run; otherwise ends the process with a line that says why. */
export function prepare() {
  return installAndBuild().catch((error) => fail(error.message));
}

async function installAndBuild() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < nodeMin[0] || (major === nodeMin[0] && minor < nodeMin[1])) {
    const version = nodeMin.join('.');
    fail(`Node ${process.versions.node} is too old: Rollcall needs Node ${version} or newer`);
  }
  const { join } = await import('node:path');
  const { fileURLToPath } = await import('node:url');
  const root = join(fileURLToPath(import.meta.url), '..', '..');
  if ((await isInstalled(root)) && (await isBuilt(root))) return;
  const release = await takeTurn(root);
  if (!(await isInstalled(root))) {
    process.stderr.write('Installing dependencies …\n');
    await install(root);
  }
  if (!(await isBuilt(root))) {
    process.stderr.write('Building …\n');
    await build(root);
  }
  release();
}

/**
 * One at a time, as two that install or build in the same directory spoil each other's work: resolves,
 * once it is this process's turn, with what ends the turn. To listen on a name is a lock that ends with
 * the process, and whoever is connected hears of that end.
 */
async function takeTurn(root) {
  const { createServer } = await import('node:net');
  const name = await turnName(root);
  const waiting = new Set();
  for (let isTold = false; ; isTold = true) {
    const server = createServer((socket) => waiting.add(socket.on('error', () => {})));
    const isOurs = await new Promise((resolve, reject) => {
      server.once('error', (error) =>
        error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
      );
      server.listen(name, () => resolve(true));
    });
    if (isOurs) {
      return () => {
        server.close();
        for (const socket of waiting) socket.destroy();
      };
    }
    if (!isTold) process.stderr.write('Waiting for another process that builds here …\n');
    await untilFree(name);
  }
}

/** Resolves when nobody listens on the name any more. */
async function untilFree(name) {
  const { connect } = await import('node:net');
  const { rm } = await import('node:fs/promises');
  const error = await new Promise((resolve) => {
    let failure = null;
    const socket = connect(name);
    socket.once('error', (error) => {
      failure = error;
    });
    socket.once('close', () => resolve(failure));
    socket.resume();
  });
  // What a process that was killed has left, where the name is one of a file.
  if (error?.code === 'ECONNREFUSED' && !name.startsWith('\0')) await rm(name, { force: true });
}

/** A name of this directory for a local socket: only Linux and Windows have some that are not files. */
async function turnName(root) {
  const { createHash } = await import('node:crypto');
  const { realpath } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const digest = createHash('sha256')
    .update(await realpath(root))
    .digest('hex');
  const name = `rollcall-${digest.slice(0, 16)}`;
  if (process.platform === 'linux') return `\0${name}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), name);
}

/**
 * True when node_modules holds what the lock file asks for. npm keeps there a lock file of its own, and
 * writes it last, so that an interrupted installation is noticed too.
 */
async function isInstalled(root) {
  const { join } = await import('node:path');
  const wanted = packagesOf(await readText(join(root, 'package-lock.json')));
  const present = packagesOf(await readText(join(root, 'node_modules', '.package-lock.json')));
  for (const [path, { version, optional }] of wanted) {
    // The key '' is the project itself. What is meant for other machines is optional and may be absent.
    if (path === '') continue;
    const found = present.get(path);
    if (found === undefined ? !optional : found.version !== version) return false;
  }
  return true;
}

function packagesOf(lockText) {
  return new Map(lockText === null ? [] : Object.entries(JSON.parse(lockText).packages));
}

async function install(root) {
  const parameters = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // Settings of the npm that runs us come by the environment: `npm pack --dry-run` would install nothing.
  parameters.push('--no-dry-run', '--no-global', '--include=dev');
  // Under `npm start` this is the npm that runs us; otherwise the one on the PATH.
  const npm = process.env.npm_execpath;
  const code =
    npm === undefined
      ? await run('npm', parameters, { cwd: root, shell: process.platform === 'win32' })
      : await run(process.execPath, [npm, ...parameters], { cwd: root });
  if (code !== 0) fail('The dependencies could not be installed (npm ci)');
}

async function isBuilt(root) {
  return (await readText(await stampPath(root))) === (await sourceStamp(root));
}

/**
 * The stamp is written only after a build without errors, so that a broken one is tried again. It is of
 * the time before, so that what was changed meanwhile is built the next time.
 */
async function build(root) {
  const { rm, writeFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const path = await stampPath(root);
  const stamp = await sourceStamp(root);
  await rm(path, { force: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const code = await run(process.execPath, [compiler, '-p', root], { cwd: root });
  if (code !== 0) fail('The build failed');
  await writeFile(path, stamp);
}

async function stampPath(root) {
  const { join } = await import('node:path');
  return join(root, 'dist', '.stamp');
}

/** A digest over the paths, sizes and times of everything that the build reads. */
async function sourceStamp(root) {
  const { createHash } = await import('node:crypto');
  const { readdir, stat } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const paths = ['package-lock.json', 'package.json', 'tsconfig.json'];
  for (const folder of ['src', 'bench', 'test', 'jepsen-lite']) {
    const found = await readdir(join(root, folder), { recursive: true }).catch(() => []);
    for (const path of found) if (path.endsWith('.ts')) paths.push(join(folder, path));
  }
  paths.sort();
  const stats = await Promise.all(paths.map((path) => stat(join(root, path))));
  const hash = createHash('sha256');
  for (const [index, { size, mtimeMs }] of stats.entries()) {
    hash.update(`${paths[index]} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

async function run(program, parameters, options) {
  const { spawn } = await import('node:child_process');
  // Standard output belongs to the command that follows.
  const child = spawn(program, parameters, { ...options, stdio: ['ignore', 2, 2] });
  return new Promise((resolve) => {
    child.once('error', (error) => {
      process.stderr.write(`${error.message}\n`);
      resolve(1);
    });
    child.once('exit', resolve);
  });
}

async function readText(path) {
  const { readFile } = await import('node:fs/promises');
  return readFile(path, 'utf8').catch(() => null);
}

function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(1);
}
