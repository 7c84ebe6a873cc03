/** What many seeds showed together. */
import { type ProbeName, probes } from './probes.ts';
import type { SeedReport } from './scenario.ts';

/** What the median seed has at least. */
export const floors = { leaderChanges: 2, faults: 20, acknowledged: 200 } as const;

/** What at least this share of the seeds has seen: what only few do is hardly tested. */
const shares = {
  stateInstalled: 0.1,
  configurationChanged: 0.1,
  diskLost: 0.1,
  diskDamaged: 0.1,
} as const;

/** From so many seeds on, too small a share is a failure. */
const sharesDueFrom = 100;
/** From so many seeds on, a probe that none has hit is a failure. */
const probesDueFrom = 1000;

export class Summary {
  readonly #reports: SeedReport[] = [];
  readonly #startedAtMs = performance.now();

  add(report: SeedReport): void {
    this.#reports.push(report);
  }

  get reports(): readonly SeedReport[] {
    return this.#reports;
  }

  get count(): number {
    return this.#reports.length;
  }

  get events(): number {
    return this.#reports.reduce((sum, { events }) => sum + events, 0);
  }

  get failures(): readonly SeedReport[] {
    return this.#reports.filter(({ violation }) => violation !== null);
  }

  get medians(): { readonly [name in keyof typeof floors]: number } {
    return {
      leaderChanges: this.#median(({ leaderChanges }) => leaderChanges),
      faults: this.#median(faultsOf),
      acknowledged: this.#median(({ acknowledged }) => acknowledged),
    };
  }

  /** What falls short of the floors or was never hit, in sentences. */
  shortcomings(): readonly string[] {
    const { medians } = this;
    const low = (Object.keys(floors) as (keyof typeof floors)[])
      .filter((name) => medians[name] < floors[name])
      .map((name) => `The median of ${name} is ${medians[name]}, at least ${floors[name]} wanted`);
    const rare = this.count < sharesDueFrom ? [] : this.#rare();
    if (this.count < probesDueFrom) return [...low, ...rare];
    const missed = this.#unhit().map((name) => `No seed ever saw that ${textOf(name)} (${name})`);
    return [...low, ...rare, ...missed];
  }

  /** One line of numbers. */
  rate(): string {
    const seconds = (performance.now() - this.#startedAtMs) / 1000;
    const perSecond = (count: number): string => (count / seconds).toFixed(count < 1e4 ? 1 : 0);
    return `${perSecond(this.count)} seeds/s, ${perSecond(this.events)} events/s`;
  }

  text(): string {
    const { medians, failures } = this;
    const virtualHours = this.#reports.reduce((sum, { virtualMs }) => sum + virtualMs, 0) / 3.6e6;
    const lines = [
      `${this.count} seeds, ${this.events} events, ${virtualHours.toFixed(2)} virtual hours; ${this.rate()}`,
      `States were installed in ${percent(this.#shareOf('stateInstalled'))} of the seeds, members changed in ${percent(this.#shareOf('configurationChanged'))}, disks lost in ${percent(this.#shareOf('diskLost'))}, damaged in ${percent(this.#shareOf('diskDamaged'))}`,
      `Median seed: ${medians.leaderChanges} leader changes, ${medians.faults} faults, ${medians.acknowledged} acknowledged operations, ${this.#median(({ events }) => events)} events`,
      '',
      'Faults, and in how many seeds',
      ...table(this.#faults()),
      '',
      'Sometimes, and in how many seeds',
      ...table(
        probes.map(({ name, text }) => [`${text} (${name})`, '', this.#seedsWith(name)] as const),
      ),
      '',
      failures.length === 0 ? 'All is well.' : `${failures.length} seeds failed:`,
      ...failures.map(failureText),
      ...this.shortcomings(),
    ];
    return lines.join('\n');
  }

  #faults(): readonly (readonly [string, number, number])[] {
    const counts = new Map<string, { total: number; seeds: number }>();
    for (const { faults } of this.#reports) {
      for (const [name, count] of Object.entries(faults)) {
        const known = counts.get(name) ?? { total: 0, seeds: 0 };
        counts.set(name, { total: known.total + count, seeds: known.seeds + 1 });
      }
    }
    return [...counts]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, { total, seeds }]) => [name, total, seeds] as const);
  }

  #rare(): readonly string[] {
    return (Object.keys(shares) as (keyof typeof shares)[])
      .filter((name) => this.#shareOf(name) < shares[name])
      .map((name) => `Only ${percent(this.#shareOf(name))} of the seeds saw that ${textOf(name)}`);
  }

  #shareOf(probe: ProbeName): number {
    return this.#seedsWith(probe) / Math.max(1, this.count);
  }

  #seedsWith(probe: ProbeName): number {
    return this.#reports.filter((report) => report.probes.includes(probe)).length;
  }

  #unhit(): readonly ProbeName[] {
    return probes.map(({ name }) => name).filter((name) => this.#seedsWith(name) === 0);
  }

  #median(of: (report: SeedReport) => number): number {
    const sorted = this.#reports.map(of).sort((left, right) => left - right);
    return sorted[sorted.length >> 1] ?? 0;
  }
}

/** Where to begin so that nobody has been there before; a seed counts by its low 32 bits. */
export function freshSeed(): number {
  return (Math.floor(Date.now() / 1000) * 1000) % 2 ** 32;
}

/** A failure in two lines: what went wrong, and how to see it again. */
export function failureText({ seed, violation }: SeedReport): string {
  return `  seed ${seed}: ${violation}\n    npm run sim -- --seed ${seed} --trace sim-${seed}.txt`;
}

function faultsOf({ faults }: SeedReport): number {
  return Object.values(faults).reduce((sum, count) => sum + count, 0);
}

function textOf(name: ProbeName): string {
  return probes.find((probe) => probe.name === name)?.text ?? name;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function table(rows: readonly (readonly [string, number | '', number])[]): readonly string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(
    ([name, total, seeds]) =>
      `  ${name.padEnd(width)} ${String(total).padStart(8)} ${String(seeds).padStart(7)}`,
  );
}
