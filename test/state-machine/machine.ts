/** A state machine with records in a Map, and how tests speak to it. */
import { utf8Encode } from '../../src/base/bytes.ts';
import { formatHash } from '../../src/base/hash.ts';
import type { PutOperation } from '../../src/mvcc/types.ts';
import { decodeCommandEntry, encodeCommandEntry } from '../../src/state-machine/command-codec.ts';
import { loadedRanges } from '../../src/state-machine/record-codec.ts';
import { StateMachine } from '../../src/state-machine/state-machine.ts';
import type {
  Applied,
  Command,
  LoggedCommand,
  Outcome,
  Records,
} from '../../src/state-machine/types.ts';

export class MapRecords implements Records {
  readonly map = new Map<string, Uint8Array>();

  read(key: string): Uint8Array | null {
    return this.map.get(key) ?? null;
  }

  write(key: string, bytes: Uint8Array | null): void {
    if (bytes === null) this.map.delete(key);
    else this.map.set(key, bytes.slice());
  }

  page(from: string, to: string): [string, Uint8Array][] {
    return [...this.map]
      .filter(([key]) => key >= from && key < to)
      .sort(([left], [right]) => (left < right ? -1 : 1));
  }
}

export class TestMachine {
  readonly records: MapRecords;
  machine: StateMachine;
  logTimeMs = 0;

  constructor(records = new MapRecords()) {
    this.records = records;
    this.machine = new StateMachine(records);
  }

  /** Applies one entry, through its bytes. */
  apply(commands: readonly Command[], logTimeMs = this.logTimeMs): Applied {
    return this.applyLogged(
      commands.map((command) => ({ session: null, command })),
      logTimeMs,
    );
  }

  /** The same with commands that may be written under sessions. */
  applyLogged(commands: readonly LoggedCommand[], logTimeMs = this.logTimeMs): Applied {
    this.logTimeMs = Math.max(this.logTimeMs, logTimeMs);
    const bytes = encodeCommandEntry({
      logTimeMs,
      wallTimeMs: 1_700_000_000_000 + logTimeMs,
      commands,
    });
    return this.machine.apply(this.machine.appliedIndex + 1, decodeCommandEntry(bytes));
  }

  run(command: Command, logTimeMs?: number): Outcome {
    return this.apply([command], logTimeMs).outcomes[0] as Outcome;
  }

  /** Starts anew from the records, as a node does. */
  reload(): void {
    const { machine } = this;
    const loaded = new StateMachine(this.records);
    for (const { from, to } of loadedRanges) loaded.loadPage(this.records.page(from, to));
    loaded.finishLoad({
      applied: { index: machine.appliedIndex },
      featureLevel: machine.featureLevel,
      revision: machine.revision,
      logTimeMs: machine.logTimeMs,
      wallTimeMs: machine.wallTimeMs,
      compactRevisions: machine.compactRevisions,
      removedRevisions: machine.removedRevisions,
      timeMarks: machine.timeMarks,
      digest: machine.digest,
    });
    this.machine = loaded;
  }

  get digest(): string {
    return formatHash(this.machine.digest);
  }
}

export function put(
  key: string,
  value: string | Uint8Array = '',
  options: Partial<Pick<PutOperation, 'leaseId' | 'previous' | 'ignoreValue' | 'ignoreLease'>> = {},
): PutOperation {
  const bytes = typeof value === 'string' ? utf8Encode(value) : value;
  return {
    type: 'put',
    key,
    value: bytes,
    leaseId: null,
    previous: false,
    ignoreValue: false,
    ignoreLease: false,
    ...options,
  };
}

export function leaseId(number: number): string {
  return number.toString(16).padStart(16, '0');
}
