/**
 * What a node that was started for it tells and does to those who test it, over HTTP under `/debug/`:
 * failpoints to arm, the trace of what it did lately, and digests of its state to compare. Whoever may
 * arm a failpoint may end the process, so all of it is for this machine alone.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLoopback } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { type ErrorCode, RollcallError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Trace } from '../node/trace.ts';
import type { MemberApi } from '../node/types.ts';
import { parseArming } from './arming.ts';
import { Failpoints, isFailpoint } from './failpoints.ts';
import { answer } from './http-answers.ts';

export const debugPrefix = '/debug/';

/** What the debug face of a node needs to know of it. */
export interface DebugState {
  /** Null while there is no member to ask. */
  readonly member: MemberApi | null;
  readonly waitsFor: () => string;
}

const bodyBytesMax = 4096;

const statuses: { readonly [code in ErrorCode]?: number } = {
  invalidArgument: 400,
  forbidden: 403,
  unknownMethod: 404,
  compacted: 410,
  frameTooLarge: 413,
  behind: 503,
  notBorn: 503,
};

export class Debug {
  readonly failpoints: Failpoints;
  readonly trace: Trace;

  constructor(clock: Clock, log: Log) {
    this.failpoints = new Failpoints({ clock, log, crash, block });
    this.trace = new Trace(clock);
  }

  /** The path begins with `debugPrefix`. Never rejects. */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    state: DebugState,
  ): Promise<void> {
    try {
      await this.#answer(request, response, state);
    } catch (error) {
      const { code, message } =
        error instanceof RollcallError ? error : new RollcallError('internal', String(error));
      answer(response, statuses[code] ?? 500, { code, error: message });
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    state: DebugState,
  ): Promise<void> {
    if (!isLoopback(request.socket.remoteAddress ?? '')) {
      throw new RollcallError('forbidden', 'Only this machine itself may ask this');
    }
    const [path = '', query = ''] = (request.url ?? '').slice(debugPrefix.length).split('?', 2);
    const parameters = new URLSearchParams(query);
    const [, name] = /^failpoints\/([^/]+)$/.exec(path) ?? [];
    if (name !== undefined) {
      if (isAllowed(request, response, ['GET', 'HEAD', 'PUT', 'DELETE'])) {
        answer(response, 200, await this.#failpoint(request, name));
      }
    } else if (!['failpoints', 'trace', 'digest'].includes(path)) {
      throw new RollcallError('unknownMethod', 'Here are failpoints, trace and digest');
    } else if (isAllowed(request, response, ['GET', 'HEAD'])) {
      this.#tell(path, parameters, response, state);
    }
  }

  #tell(
    path: string,
    parameters: URLSearchParams,
    response: ServerResponse,
    state: DebugState,
  ): void {
    if (path === 'failpoints') {
      answer(response, 200, { failpoints: this.failpoints.list() });
    } else if (path === 'digest') {
      answer(response, 200, digestOf(numberOf(parameters, 'index'), state));
    } else {
      answer(response, 200, this.trace.read(numberOf(parameters, 'after') ?? 0));
    }
  }

  async #failpoint(request: IncomingMessage, name: string): Promise<object> {
    if (!isFailpoint(name)) {
      throw new RollcallError('unknownMethod', 'There is no such failpoint; see /debug/failpoints');
    }
    if (request.method === 'PUT') this.failpoints.arm(name, parseArming(await bodyOf(request)));
    if (request.method === 'DELETE') this.failpoints.disarm(name);
    return this.failpoints.report(name);
  }
}

function digestOf(asked: number | null, { member, waitsFor }: DebugState): object {
  if (member === null) throw new RollcallError('notBorn', `The node waits for ${waitsFor()}`);
  const { memberId, appliedIndex } = member.status();
  const index = asked ?? appliedIndex;
  const known = member.digestAt(index);
  if (known !== null) return { memberId, index, ...known };
  if (index === 0 || index > appliedIndex) {
    throw new RollcallError('behind', `This node has applied entries up to ${appliedIndex}`);
  }
  throw new RollcallError('compacted', `The digest at ${index} is not remembered any more`);
}

function isAllowed(
  request: IncomingMessage,
  response: ServerResponse,
  methods: readonly string[],
): boolean {
  if (methods.includes(request.method ?? '')) return true;
  const allowed = methods.join(', ');
  response.setHeader('allow', allowed);
  answer(response, 405, { code: 'unknownMethod', error: `Only ${allowed} are known here` });
  return false;
}

/** Null when it is not given. */
function numberOf(parameters: URLSearchParams, name: string): number | null {
  const text = parameters.get(name);
  if (text === null) return null;
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new RollcallError('invalidArgument', `${name} is not a whole number from 0 on`);
}

/** Reads to the end whatever comes, so that the answer finds its way, but keeps no more than it may. */
function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes <= bodyBytesMax) pieces.push(piece);
    });
    request.on('error', reject);
    request.on('end', () => {
      if (bytes <= bodyBytesMax) resolve(Buffer.concat(pieces).toString('utf8'));
      else reject(new RollcallError('frameTooLarge', `More than ${bodyBytesMax} bytes of body`));
    });
  });
}

/** Nothing of this process runs any more, not even what runs at its end. */
function crash(): void {
  process.kill(process.pid, 'SIGKILL');
  block(Number.POSITIVE_INFINITY);
}

function block(delayMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
}
