/** How an error crosses the wire. */
import { type ErrorCode, isErrorCode, RollcallError } from '../base/errors.ts';

export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly definite: boolean;
  readonly details?: Readonly<Record<string, string | number>>;
}

// What these say (paths, system calls, broken invariants) belongs into the log of the node, not to clients.
const privateCodes: ReadonlySet<ErrorCode> = new Set([
  'internal',
  'storageFailed',
  'dataDirectory',
  'dataDamaged',
]);
const messageLengthMax = 4096;

export function errorBody(error: RollcallError): ErrorBody {
  const { code, definite, details } = error;
  const message = privateCodes.has(code)
    ? 'The node failed; its log says more'
    : error.message.slice(0, messageLengthMax);
  return Object.keys(details).length === 0
    ? { code, message, definite }
    : { code, message, definite, details };
}

/** Total: any decoded value becomes an error. A code that only newer servers know becomes `internal`. */
export function errorFromBody(body: unknown): RollcallError {
  if (typeof body !== 'object' || body === null) {
    return new RollcallError('internal', 'The server sent an error without a body');
  }
  const { code, message, definite, details } = body as Partial<Record<keyof ErrorBody, unknown>>;
  const known = typeof code === 'string' && isErrorCode(code);
  const said = typeof message === 'string' ? message : 'The server gave no reason';
  return new RollcallError(known ? code : 'internal', known ? said : `${said} (${String(code)})`, {
    ...(typeof definite === 'boolean' ? { definite } : {}),
    details: plainDetails(details),
  });
}

function plainDetails(details: unknown): Readonly<Record<string, string | number>> {
  const plain: Record<string, string | number> = {};
  if (typeof details !== 'object' || details === null) return plain;
  for (const [name, value] of Object.entries(details)) {
    if (typeof value === 'string' || typeof value === 'number') plain[name] = value;
  }
  return plain;
}
