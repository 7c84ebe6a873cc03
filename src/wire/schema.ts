/**
 * Small schemas for what comes off a socket. A schema takes any decoded value and returns a fresh,
 * typed one, or throws `invalidArgument` that names the field. Unknown fields are refused.
 */
import { RollcallError } from '../base/errors.ts';

export type Schema<T> = (value: unknown, path: string) => T;
export type Infer<S> = S extends Schema<infer T> ? T : never;

export function invalid(path: string, expected: string): RollcallError {
  return new RollcallError('invalidArgument', `${path || 'The request'} must be ${expected}`);
}

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Schema<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw invalid(path, `a whole number from ${min} to ${max}`);
    }
    // Minus zero becomes zero: it equals it, but would not be logged as the same bytes.
    return value + 0;
  };
}

export const boolean: Schema<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw invalid(path, 'true or false');
  return value;
};

export function text(lengthMax: number, lengthMin = 0): Schema<string> {
  return (value, path) => {
    if (typeof value !== 'string' || value.length < lengthMin || value.length > lengthMax) {
      throw invalid(path, `text of ${lengthMin} to ${lengthMax} characters`);
    }
    return value;
  };
}

export function matching(pattern: RegExp, expected: string): Schema<string> {
  return (value, path) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw invalid(path, expected);
    return value;
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): Schema<T> {
  const known = new Set<unknown>(choices);
  return (value, path) => {
    if (!known.has(value)) throw invalid(path, `one of ${choices.join(', ')}`);
    return value as T;
  };
}

export function nullable<T>(schema: Schema<T>): Schema<T | null> {
  return (value, path) => (value === null ? null : schema(value, path));
}

/** An absent field takes the fallback. */
export function optional<T>(schema: Schema<T>, fallback: T): Schema<T> {
  return (value, path) => (value === undefined ? fallback : schema(value, path));
}

export function array<T>(schema: Schema<T>, lengthMax: number): Schema<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > lengthMax) {
      throw invalid(path, `an array of at most ${lengthMax}`);
    }
    return value.map((element, index) => schema(element, `${path}[${index}]`));
  };
}

export function pair<A, B>(first: Schema<A>, second: Schema<B>): Schema<readonly [A, B]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length !== 2) throw invalid(path, 'a pair');
    return [first(value[0], `${path}[0]`), second(value[1], `${path}[1]`)];
  };
}

type Fields = Readonly<Record<string, Schema<unknown>>>;
type Shape<F extends Fields> = { readonly [K in keyof F]: Infer<F[K]> };

export function object<F extends Fields>(fields: F): Schema<Shape<F>> {
  const names = Object.keys(fields);
  const known = new Set(names);
  return (value, path) => {
    if (!isRecord(value)) throw invalid(path, 'an object');
    for (const name of Object.keys(value)) {
      if (!known.has(name)) {
        throw new RollcallError('invalidArgument', `Unknown field ${join(path, name)}`);
      }
    }
    const parsed: Record<string, unknown> = {};
    for (const name of names) {
      parsed[name] = (fields[name] as Schema<unknown>)(value[name], join(path, name));
    }
    return parsed as Shape<F>;
  };
}

/** A union told apart by its `tag` field; the parsed value keeps the tag. */
export function tagged<Tag extends string, V extends Readonly<Record<string, Schema<object>>>>(
  tag: Tag,
  variants: V,
): Schema<{ [K in keyof V]: { readonly [T in Tag]: K } & Infer<V[K]> }[keyof V]> {
  const names = Object.keys(variants);
  return (value, path) => {
    if (!isRecord(value)) throw invalid(path, 'an object');
    const { [tag]: name, ...rest } = value;
    if (typeof name !== 'string' || !Object.hasOwn(variants, name)) {
      throw invalid(join(path, tag), `one of ${names.join(', ')}`);
    }
    const parsed = (variants[name] as Schema<object>)(rest, path);
    return { [tag]: name, ...parsed } as never;
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
