/** How a failpoint is armed, as JSON from outside. */
import { RollcallError } from '../base/errors.ts';
import type { Arming, FailpointAction } from './failpoints.ts';

const actions = ['crash', 'throw', 'delay'] as const satisfies readonly FailpointAction[];
const fields = ['action', 'delayMs', 'skip', 'times'];
const delayMsMax = 600_000;
const countMax = 1_000_000_000;

/** Throws `invalidArgument`. */
export function parseArming(text: string): Arming {
  const body = parseObject(text);
  const unknown = Object.keys(body).find((name) => !fields.includes(name));
  if (unknown !== undefined) {
    throw invalid(`"${unknown.slice(0, 100)}" is none of ${fields.join(', ')}`);
  }
  const { action: wanted, delayMs } = body;
  const action = actions.find((known) => known === wanted);
  if (action === undefined) throw invalid(`The action is one of ${actions.join(', ')}`);
  if (action !== 'delay' && delayMs !== undefined) {
    throw invalid('Only a delay has delayMs');
  }
  return {
    action,
    delayMs: action === 'delay' ? numberIn(body, 'delayMs', 1, delayMsMax, null) : 0,
    skip: numberIn(body, 'skip', 0, countMax, 0),
    times: numberIn(body, 'times', 1, countMax, 1),
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw invalid('The body is not JSON');
  }
  if (!isRecord(body)) throw invalid('The body is not a JSON object');
  return body;
}

function isRecord(body: unknown): body is Readonly<Record<string, unknown>> {
  return typeof body === 'object' && body !== null && !Array.isArray(body);
}

/** `usual`: what it is when it is not given; null when it has to be. */
function numberIn(
  body: Readonly<Record<string, unknown>>,
  name: string,
  min: number,
  max: number,
  usual: number | null,
): number {
  const value = body[name] ?? usual;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw invalid(`${name} is a whole number from ${min} to ${max}`);
}

function invalid(message: string): RollcallError {
  return new RollcallError('invalidArgument', message);
}
