import type { Verdict } from './check.ts';
import { groupBy } from './group-by.ts';
import { calmGrants } from './rules/liveness.ts';
import type { RuleName, Violation } from './types.ts';

const SHOWN_PER_RULE = 5;

/** The counts, and all violations with what happened around them. */
export function outlineOf({ violations, findings }: Verdict) {
  return { counts: findings && countsOf(findings), violations };
}

function countsOf({ record, overlaps, inversions, missing, losses, left }: NonNullable<Verdict['findings']>) {
  return {
    grants: record.holds.length,
    strikes: record.strikes.length,
    overlaps: overlaps.length,
    allowedOverlaps: overlaps.filter(({ allowedBy }) => allowedBy !== undefined).length,
    longestOverlapMs: worstOf(overlaps.map(({ from, to }) => (to - from) / 1_000)),
    fencesOutOfOrder: inversions.length,
    missingFromFiles: missing.length,
    lateWrites: missing.filter(({ by }) => by === 'late-write').length,
    accepted: record.ofType('stored').filter(({ outcome }) => outcome === 'accepted').length,
    refusedByStore: record.ofType('stored').filter(({ outcome }) => outcome === 'refused').length,
    leasesLost: losses.length,
    longestToSignalMs: worstOf(losses.map(({ sinceProofMs }) => sinceProofMs)),
    calmGrantMs: record.calmAt === undefined ? undefined : worstOf([...calmGrants(record).values()]),
    inertSeeds: left.withInertSeeds.length,
  };
}

/** The longest of these times; Infinity when one never came. */
function worstOf(times: readonly (number | undefined)[]): number {
  return times.reduce<number>((max, ms) => Math.max(max, ms ?? Number.POSITIVE_INFINITY), 0);
}

/** For people: the counts, and the first violations of each rule with what happened around them. */
export function describe(verdict: Verdict): string {
  const { violations, findings } = verdict;
  const lines: string[] = [];
  if (findings !== undefined) {
    const { version, site, build, grant, seed, minutes } = findings.record.plan;
    lines.push(
      `${build} on RabbitMQ ${version}, ${site}, grant ${grant}, seed ${seed}, ${minutes.toFixed(1)} minutes`,
    );
    for (const [name, value] of Object.entries(countsOf(findings))) lines.push(`  ${name}: ${value}`);
  }
  for (const [rule, of] of groupBy(violations, ({ rule }): RuleName => rule)) {
    lines.push('', `${rule}: ${of.length}`);
    for (const violation of of.slice(0, SHOWN_PER_RULE)) lines.push(...describeOne(violation));
    if (of.length > SHOWN_PER_RULE) lines.push(`  … and ${of.length - SHOWN_PER_RULE} more`);
  }
  lines.push('', violations.length === 0 ? 'no violation' : `${violations.length} violations`);
  return lines.join('\n');
}

function describeOne({ at, lock, what, around }: Violation): string[] {
  const where = lock === undefined ? '' : ` ${lock}:`;
  return [
    `  ${(at / 1_000_000).toFixed(3)} s:${where} ${what}`,
    ...around.map(({ at: when, ...rest }) => {
      const offset = ((when - at) / 1_000).toFixed(1).padStart(9);
      return `      ${offset} ms ${JSON.stringify(rest).slice(0, 180)}`;
    }),
  ];
}
