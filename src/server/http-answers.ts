/** What the client port answers to plain HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MemberApi } from '../node/types.ts';
import { subprotocol } from '../wire/frame.ts';

export interface HttpState {
  /** Why the request is not allowed at all. */
  readonly refusal: string | null;
  readonly member: MemberApi | null;
  readonly waitsFor: () => string;
}

export function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  state: HttpState,
): void {
  if (state.refusal !== null) {
    answer(response, 403, { error: state.refusal });
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    answer(response, 405, { error: 'Only GET and HEAD are known here' });
  } else if (request.url === '/livez') {
    answer(response, 200, { live: true });
  } else if (request.url === '/readyz') {
    const reason = whyNotReady(state);
    if (reason === null) answer(response, 200, { ready: true });
    else answer(response, 503, { ready: false, reason });
  } else if (request.url === '/') {
    response.setHeader('upgrade', 'websocket');
    answer(response, 426, {
      hint: `Rollcall speaks ${subprotocol} over WebSocket here; its health is at /livez and /readyz`,
    });
  } else {
    answer(response, 404, { error: 'Nothing is here' });
  }
}

function whyNotReady({ member, waitsFor }: HttpState): string | null {
  if (member === null) return `The node waits for ${waitsFor()}`;
  if (member.ready()) return null;
  const { standing, leaderId } = member.status();
  if (standing === 'removed') return 'The node was removed from its cluster';
  return leaderId === null
    ? 'The node knows no leader'
    : 'The node has not applied yet what is committed';
}

/** An object is told as JSON; a text has it line by line already. */
export function answer(response: ServerResponse, status: number, body: object | string): void {
  const isText = typeof body === 'string';
  response.writeHead(status, {
    'content-type': isText ? 'application/x-ndjson' : 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(isText ? body : `${JSON.stringify(body)}\n`);
}
