/**
 * Appends groups to the newest segment. An append is one write that is durable when it returns. A group
 * proves that those before it were durable; the last one is named by a slot, which is written once the
 * log has been idle for 10 ms.
 */
import { assert } from '../../base/assert.ts';
import { ByteWriter } from '../../base/bytes.ts';
import type { Timer } from '../../base/clock.ts';
import type { Append, HardState, SnapshotMetadata } from '../../format/types.ts';
import { gaveUpWaiting } from '../space.ts';
import type { File } from '../types.ts';
import { encodeGroup, sealGroup, termsOf } from './group.ts';
import type { LogMap } from './log-map.ts';
import { prepareSegment } from './prepare.ts';
import type { ActiveSegment } from './recovery.ts';
import {
  encodeSegmentHeader,
  groupSalt,
  makeSegment,
  type Place,
  type Segment,
} from './segment.ts';
import { encodeSlot } from './slot.ts';
import type { WalOptions } from './wal.ts';

const slotIdleMs = 10;

export interface WriterOptions extends WalOptions {
  readonly map: LogMap;
  readonly hardState: HardState;
  readonly active: ActiveSegment;
}

/** What a state that is installed makes of the log. */
interface Install {
  /** The number of its directory. */
  readonly state: number;
  readonly snapshot: SnapshotMetadata;
  /** The log has the state's last entry: what follows it stays. Otherwise nothing does. */
  readonly keepsLog: boolean;
}

export class WalWriter {
  readonly #options: WriterOptions;
  readonly #bytes = new ByteWriter(64 * 1024);
  #segment: Segment;
  #file: File;
  #capacity: number;
  /** Everything before it is durable. */
  #end: Place;
  #hardState: HardState;
  #slotCount: number;
  /** The number of the current state directory. */
  #state: number;
  /** The sequence that the newest slot names. */
  #slotSequence: number;
  #appendAtMs: number;
  #appendOut = false;
  #timer: Timer | null = null;
  /** The slot that is being written alone, if any: only one may be torn by a power cut. */
  #slotWrite: Promise<void> | null = null;
  #prepared: Promise<File> | null = null;

  constructor(options: WriterOptions, capacity: number) {
    const { active, clock } = options;
    this.#options = options;
    this.#segment = active.segment;
    this.#file = active.file;
    this.#capacity = capacity;
    this.#end = active.end;
    this.#hardState = options.hardState;
    this.#slotCount = active.slotCount;
    this.#state = active.state;
    // Also what was found above the old slot is durable by now, and has to be named.
    this.#slotSequence = 0;
    this.#appendAtMs = clock.monotonic();
    this.#prepareWhenDue();
    this.#armSlot();
  }

  /** The newest segment and the place up to which it may be read. */
  get end(): { readonly segment: Segment; readonly place: Place } {
    return { segment: this.#segment, place: this.#end };
  }

  /** `state` is the number of the directory that becomes current with the append's snapshot. */
  async append(append: Append, state: number | null): Promise<void> {
    assert(!this.#appendOut, () => `Append ${append.number} while another one is out`);
    const { map, failpoint } = this.#options;
    const install = this.#installOf(append.snapshot, state);
    checkContiguous(
      append,
      install?.keepsLog === false ? install.snapshot.last.index : map.last.index,
    );
    this.#appendOut = true;
    await failpoint('append.begin');
    const group = encodeGroup(this.#bytes, append);
    const isEmpty = this.#end.position === this.#segment.begin.position;
    const isFull = !isEmpty && this.#end.position + group.length > this.#capacity;
    if (isFull || install !== null) await this.#begin(group, install);
    else await this.#extend(group);
    await failpoint('append.durable');
    this.#appendOut = false;
    this.#appendAtMs = this.#options.clock.monotonic();
    this.#remember(append);
    this.#prepareWhenDue();
    this.#armSlot();
  }

  /** Writes the last slot and closes the files. After a failure only the latter. */
  async close(failed: boolean): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    await this.#slotWrite;
    if (!failed && this.#slotSequence !== this.#end.sequence) await this.#writeSlot();
    const prepared = await this.#prepared?.catch(() => null);
    await prepared?.close();
    await this.#file.close();
  }

  async #extend(group: Uint8Array): Promise<void> {
    const { position, sequence } = this.#end;
    const chain = sealGroup(group, this.#segment.salt, this.#end);
    await this.#file.writeDurably(position, group);
    this.#end = { position: position + group.length, sequence: sequence + 1, chain };
  }

  #installOf(snapshot: SnapshotMetadata | null, state: number | null): Install | null {
    assert((snapshot === null) === (state === null), 'A snapshot comes with its state directory');
    if (snapshot === null || state === null) return null;
    const { map } = this.#options;
    const { last } = snapshot;
    const keepsLog = map.holds(last);
    assert(
      keepsLog || last.index > map.base.index,
      () =>
        `Entry ${last.index} of term ${last.term} is installed over a log after ${map.base.index}`,
    );
    return { state, snapshot, keepsLog };
  }

  /** Begins the next segment with this group; with an install, makes its state the current one. */
  async #begin(group: Uint8Array, install: Install | null): Promise<void> {
    const { memberId, clusterId, map, failpoint } = this.#options;
    const { sequence, chain } = this.#end;
    const number = this.#segment.number + 1;
    const file = await this.#prepare();
    const log =
      install === null || install.keepsLog
        ? { last: map.last, configuration: map.configuration }
        : install.snapshot;
    const header = {
      ...{ number, memberId, clusterId, sequence, chain },
      hardState: this.#hardState,
      last: log.last,
      configuration: log.configuration,
      state: install?.state ?? this.#state,
      isInstall: install !== null,
    };
    const { position, bytes } = encodeSegmentHeader(header);
    const next = sealGroup(group, groupSalt(number, chain), this.#end);
    const begin = position + bytes.length;
    await failpoint('segment.begin');
    await file.writeDurably(position, Buffer.concat([bytes, group]));
    await failpoint('segment.durable');
    await this.#slotWrite;
    await this.#file.close();
    this.#file = file;
    this.#prepared = null;
    this.#state = header.state;
    this.#segment = makeSegment(header, begin);
    this.#end = { position: begin + group.length, sequence: sequence + 1, chain: next };
    if (install?.keepsLog === false) map.reset(log.last, log.configuration);
    map.begin(this.#segment, log.last);
    this.#capacity = Math.max(this.#options.segmentBytes, this.#end.position);
    this.#slotCount = 0;
    this.#slotSequence = 0;
  }

  #remember(append: Append): void {
    const { map } = this.#options;
    map.fill(this.#end.position);
    if (append.hardState !== null) this.#hardState = append.hardState;
    const first = append.entries[0];
    if (first === undefined) return;
    map.append(first.index, append.entries.length, termsOf(append.entries));
    for (const entry of append.entries) {
      if (entry.type === 'configuration') map.configure(entry.index, entry.configuration);
    }
  }

  #prepare(): Promise<File> {
    const { segmentBytes } = this.#options;
    this.#prepared ??= prepareSegment(this.#options, this.#segment.number + 1, segmentBytes);
    return this.#prepared;
  }

  /** In time for the next segment, but no sooner, so that a small log stays a small file. */
  #prepareWhenDue(): void {
    if (this.#prepared !== null) return;
    if (this.#capacity - this.#end.position > this.#options.segmentBytes / 2) return;
    this.#prepare().catch((error: unknown) => {
      if (!gaveUpWaiting(error)) this.#options.onFailure(error);
    });
  }

  #armSlot(): void {
    if (this.#timer !== null || this.#slotSequence === this.#end.sequence) return;
    this.#timer = this.#options.clock.after(slotIdleMs, () => {
      this.#timer = null;
      // What is out arms it again when it has come back.
      if (this.#appendOut || this.#slotWrite !== null) return;
      if (this.#options.clock.monotonic() - this.#appendAtMs < slotIdleMs) this.#armSlot();
      else this.#slotWrite = this.#writeSlotAlone();
    });
  }

  async #writeSlotAlone(): Promise<void> {
    try {
      await this.#writeSlot();
      this.#slotWrite = null;
      this.#armSlot();
    } catch (error) {
      this.#slotWrite = null;
      this.#options.onFailure(error);
    }
  }

  async #writeSlot(): Promise<void> {
    const { failpoint } = this.#options;
    await failpoint('slot.begin');
    const file = this.#file;
    const slot = this.#nextSlot();
    await file.write(slot.position, slot.bytes);
    await failpoint('slot.written');
    await file.sync();
  }

  /** Names what is durable now. Slots are written in turn, each durable before the next. */
  #nextSlot(): { readonly position: number; readonly bytes: Uint8Array } {
    this.#slotCount++;
    this.#slotSequence = this.#end.sequence;
    return encodeSlot(this.#segment.number, { count: this.#slotCount, place: this.#end });
  }
}

function checkContiguous(append: Append, last: number): void {
  const first = append.entries[0]?.index ?? 1;
  assert(first >= 1 && first <= last + 1, () => `Entry ${first} after ${last}`);
  for (const [at, entry] of append.entries.entries()) {
    assert(entry.index === first + at, () => `Entry ${entry.index} where ${first + at} belongs`);
  }
}
