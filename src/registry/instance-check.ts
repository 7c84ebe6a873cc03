import { isName, limits } from '../base/limits.ts';
import { Refusal } from '../base/refusal.ts';
import type { Instance, ServiceName } from './types.ts';

const listLengthMax = 64;
const nameLengthMax = 128;
const valueLengthMax = 1024;
const addressPattern = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):([1-9][0-9]{0,4})$/;
const portMax = 65_535;

/** Null when both are names. */
export function checkService({ namespace, service }: ServiceName): Refusal | null {
  return checkName('namespace', namespace) ?? checkName('service', service);
}

export function checkName(field: string, text: string): Refusal | null {
  if (isName(text)) return null;
  return invalid(
    field,
    `must have 1 to ${limits.nameLengthMax} of a-z 0-9 . _ -, first a letter or digit`,
  );
}

/** Null when the instance may be registered; the refusal names the field. */
export function checkInstance(instance: Instance): Refusal | null {
  return (
    checkName('instance.id', instance.id) ??
    checkAddress(instance.address) ??
    checkTags(instance.tags) ??
    checkMetadata(instance.metadata)
  );
}

function checkAddress(address: string): Refusal | null {
  const port = Number(addressPattern.exec(address)?.[1] ?? Number.NaN);
  if (port <= portMax) return null;
  return invalid('instance.address', `must be HOST:PORT with a port from 1 to ${portMax}`);
}

function checkTags(tags: readonly string[]): Refusal | null {
  if (tags.length > listLengthMax) {
    return invalid(
      'instance.tags',
      `has ${tags.length} tags, at most ${listLengthMax} are allowed`,
    );
  }
  for (const [at, tag] of tags.entries()) {
    const refusal = checkText(`instance.tags[${at}]`, tag, nameLengthMax);
    if (refusal !== null) return refusal;
  }
  return null;
}

function checkMetadata(metadata: Instance['metadata']): Refusal | null {
  if (metadata.length > listLengthMax) {
    return invalid(
      'instance.metadata',
      `has ${metadata.length} pairs, at most ${listLengthMax} are allowed`,
    );
  }
  const names = new Set<string>();
  for (const [at, [name, value]] of metadata.entries()) {
    const refusal =
      checkText(`instance.metadata[${at}][0]`, name, nameLengthMax) ??
      checkText(`instance.metadata[${at}][1]`, value, valueLengthMax);
    if (refusal !== null) return refusal;
    if (names.has(name)) return invalid(`instance.metadata[${at}][0]`, 'stands there twice');
    names.add(name);
  }
  return null;
}

function checkText(field: string, text: string, lengthMax: number): Refusal | null {
  if (text.length > lengthMax) {
    return invalid(field, `has ${text.length} characters, at most ${lengthMax} are allowed`);
  }
  // A lone surrogate has no bytes of its own: it would come back as another character.
  return /\p{Surrogate}/u.test(text) ? invalid(field, 'is not well-formed Unicode') : null;
}

function invalid(field: string, why: string): Refusal {
  return new Refusal('invalidArgument', `${field} ${why}`);
}
