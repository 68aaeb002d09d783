import { z } from 'zod';
import type { Findings, Verdict } from '../checker/index.ts';
import { PHASES, type Phase } from '../history.ts';
import { attribute, nextGrants, phasesOf } from './effects.ts';

const count = z.int().nonnegative();

const faultSchema = z.object({
  strikes: count,
  /** Strikes that caught somebody in this phase. */
  phases: z.partialRecord(z.enum(PHASES), count),
  overlaps: count,
  longestOverlapMs: z.number(),
  fencesOutOfOrder: count,
  tokensLost: count,
  tokensDoubled: count,
  /** One for each strike and lock, ascending. */
  nextGrantMs: z.array(count),
  leasesLost: count,
  longestToSignalMs: z.number(),
});
export type FaultFigures = z.infer<typeof faultSchema>;

/** What is kept of a run: small enough to be committed. */
export const summarySchema = z.object({
  version: z.string(),
  site: z.enum(['single', 'cluster']),
  build: z.enum(['baton', 'naive']),
  grant: z.enum(['auto', 'verified', 'immediate']),
  seed: z.int(),
  minutes: z.number(),
  workers: count,
  locks: count,
  grants: count,
  /** Writes that the store accepted and refused. */
  accepted: count,
  refused: count,
  missingFromFiles: count,
  inertSeeds: count,
  /** Queues that a killed node did not bring up again, and that had to be deleted. */
  repaired: count,
  /** Queues with members of another history, of which these were replaced; undefined: nobody looked. */
  mended: count.optional(),
  /** By rule of the checker. */
  violations: z.record(z.string(), count),
  faults: z.record(z.string(), faultSchema),
});
export type RunSummary = z.infer<typeof summarySchema>;

/** @throws Error when the history has no plan. */
export function summarise({ violations, findings }: Verdict): RunSummary {
  if (findings === undefined) throw new Error('the history has no plan, or several');
  const { record, missing, left } = findings;
  const { version, site, build, grant, seed, minutes, workers, locks } = record.plan;
  const stored = record.ofType('stored');
  return {
    version,
    site,
    build,
    grant,
    seed,
    minutes: round(minutes, 10),
    workers,
    locks: locks.length,
    grants: record.holds.length,
    accepted: stored.filter(({ outcome }) => outcome === 'accepted').length,
    refused: stored.filter(({ outcome }) => outcome === 'refused').length,
    missingFromFiles: missing.length,
    inertSeeds: left.withInertSeeds.length,
    repaired: record.ofType('repaired').length,
    mended: record.ofType('mended').length,
    violations: tally(violations.map(({ rule }) => rule)),
    faults: faultsOf(findings),
  };
}

function faultsOf({ record, overlaps, inversions, losses, left }: Findings): Record<string, FaultFigures> {
  const faults: Record<string, FaultFigures> = {};
  for (const strike of record.strikes) {
    faults[strike.fault] ??= {
      strikes: 0,
      phases: {},
      overlaps: 0,
      longestOverlapMs: 0,
      fencesOutOfOrder: 0,
      tokensLost: 0,
      tokensDoubled: 0,
      nextGrantMs: [],
      leasesLost: 0,
      longestToSignalMs: 0,
    };
    const figures = faults[strike.fault] as FaultFigures;
    figures.strikes += 1;
    for (const phase of phasesOf(strike)) figures.phases[phase] = (figures.phases[phase] ?? 0) + 1;
    figures.nextGrantMs.push(...nextGrants(record, strike).map((ms) => Math.round(ms)));
  }
  const at = (fault: string | undefined) => (fault === undefined ? undefined : faults[fault]);

  for (const { older, newer, from, to, allowedBy } of overlaps) {
    const who = [older, ...newer].map((hold) => hold.who);
    const figures = at((allowedBy ?? attribute(record, older.lock, from, who))?.fault);
    if (figures === undefined) continue;
    figures.overlaps += 1;
    figures.longestOverlapMs = Math.max(figures.longestOverlapMs, round((to - from) / 1_000, 10));
  }
  for (const { lock, grantedAt, who } of inversions) {
    const figures = at(attribute(record, lock, grantedAt, [who])?.fault);
    if (figures !== undefined) figures.fencesOutOfOrder += 1;
  }
  for (const { hold, at: lostAt, sinceProofMs } of losses) {
    const figures = at(attribute(record, hold.lock, lostAt, [hold.who])?.fault);
    if (figures === undefined) continue;
    figures.leasesLost += 1;
    figures.longestToSignalMs = Math.max(figures.longestToSignalMs, Math.round(sinceProofMs));
  }
  const last = (lock: string) =>
    record.strikes.findLast(({ event }) => event.locks?.includes(lock) ?? true)?.fault;
  for (const lock of left.lost) {
    const figures = at(last(lock));
    if (figures !== undefined) figures.tokensLost += 1;
  }
  for (const lock of left.doubled) {
    const figures = at(last(lock));
    if (figures !== undefined) figures.tokensDoubled += 1;
  }
  for (const figures of Object.values(faults)) figures.nextGrantMs.sort((one, other) => one - other);
  return faults;
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** The figures of several runs, as if they had been one. */
export function merge(all: readonly FaultFigures[]): FaultFigures {
  const sum = (of: (figures: FaultFigures) => number) => all.reduce((total, it) => total + of(it), 0);
  const longest = (of: (figures: FaultFigures) => number) => Math.max(0, ...all.map(of));
  const phases: Partial<Record<Phase, number>> = {};
  for (const phase of PHASES) {
    const strikes = sum((it) => it.phases[phase] ?? 0);
    if (strikes > 0) phases[phase] = strikes;
  }
  return {
    strikes: sum((it) => it.strikes),
    phases,
    overlaps: sum((it) => it.overlaps),
    longestOverlapMs: longest((it) => it.longestOverlapMs),
    fencesOutOfOrder: sum((it) => it.fencesOutOfOrder),
    tokensLost: sum((it) => it.tokensLost),
    tokensDoubled: sum((it) => it.tokensDoubled),
    nextGrantMs: all.flatMap((it) => it.nextGrantMs).sort((one, other) => one - other),
    leasesLost: sum((it) => it.leasesLost),
    longestToSignalMs: longest((it) => it.longestToSignalMs),
  };
}

const round = (value: number, parts: number): number => Math.round(value * parts) / parts;
