import type { Figures } from './scenarios/scenario.ts';
import { median } from './stats.ts';

/** What one slice has shown. `hop` is the scenario of the raw hops, its peer the server. */
export interface Sample {
  readonly run: number;
  readonly scenario: string;
  readonly case: string;
  readonly peer: string;
  /** Of what was measured, where that has parts. */
  readonly part?: string;
  readonly figures: Figures;
}

/** Everything that a report is made of. */
export interface Results {
  readonly at: string;
  readonly package: string;
  readonly machine: string;
  readonly servers: Readonly<Record<string, string>>;
  readonly seconds: number;
  readonly runs: number;
  readonly samples: readonly Sample[];
  /** Slices that failed, one sentence each. */
  readonly failures: readonly string[];
}

/** The median of a run's raw hops on a server, in milliseconds. */
export function hopOfRun(samples: readonly Sample[], server: string, run: number): number {
  return median(
    samples
      .filter((it) => it.scenario === 'hop' && it.peer === server && it.run === run)
      .map(({ figures }) => figures.hopMs ?? Number.NaN),
  );
}

/** A figure over all runs, and the same as a multiple of the raw hop of each run. NaN when there is none. */
export interface Summary {
  readonly value: number;
  readonly hops: number;
}

export type Wanted = Pick<Sample, 'scenario' | 'case' | 'peer' | 'part'>;

export function summarise(
  samples: readonly Sample[],
  wanted: Wanted,
  figure: string,
  hopServer: string,
): Summary {
  const found = samples.flatMap((it) => {
    const same = (['scenario', 'case', 'peer', 'part'] as const).every((key) => it[key] === wanted[key]);
    const value = same ? it.figures[figure] : undefined;
    return value === undefined || Number.isNaN(value) ? [] : [{ value, run: it.run }];
  });
  return {
    value: median(found.map(({ value }) => value)),
    hops: median(found.map(({ value, run }) => value / hopOfRun(samples, hopServer, run))),
  };
}

/** JSON knows no Infinity, which is what `never` is measured as. NaN becomes null and is left out when it is read. */
export function encodeResults(results: Results): string {
  const never = (_key: string, value: unknown) => (value === Number.POSITIVE_INFINITY ? 'never' : value);
  return JSON.stringify(results, never);
}

export function decodeResults(json: string): Results {
  return JSON.parse(json, (_key, value: unknown) => {
    if (value === 'never') return Number.POSITIVE_INFINITY;
    return value ?? undefined;
  }) as Results;
}
