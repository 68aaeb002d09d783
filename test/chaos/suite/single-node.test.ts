import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { GrantMode } from '../../../src/protocol/grant-mode.ts';
import { check, describe as describeVerdict, readHistory, type Verdict } from '../checker/index.ts';
import type { Build } from '../fleet/index.ts';
import { runUnderFaults } from '../run/run.ts';
import { strikeTable } from '../run/strike-table.ts';
import { RELEASES, type Release } from '../site/index.ts';

const SEED = Number(process.env.BATON_FAULT_SEED ?? 7);
/** As long as ten minutes in all allow. */
const MINUTES: Record<Build, number> = { baton: 1.15, naive: 0.5 };
/** The naive build does not come back, so there is little to wait for. */
const CALM_MS: Record<Build, number> = { baton: 120_000, naive: 15_000 };

interface Kind {
  readonly build: Build;
  readonly grant?: GrantMode;
  readonly keepIf: (verdict: Verdict) => boolean;
}
const fails = ({ violations }: Verdict): boolean => violations.length > 0;
const sentences = ({ violations }: Verdict) => violations.map(({ rule, what }) => `${rule}: ${what}`);

/** The strikes, the verdict and the histories' folder if it is worth keeping. */
async function run(release: Release, { build, grant = 'auto', keepIf }: Kind): Promise<Verdict> {
  const outDir = await mkdtemp(join(tmpdir(), `batonmq-fault-${release}-${build}-`));
  const problems: string[] = [];
  const options = { site: 'single', release, build, grant, seed: SEED, outDir } as const;
  await runUnderFaults(
    {
      ...options,
      minutes: MINUTES[build],
      calmMs: CALM_MS[build],
      slots: 6,
      locks: ['l0', 'l1', 'l2', 'l3'],
    },
    {
      step: (what) => console.log(`${release} ${build}: ${what}`),
      struck: () => {},
      problem: (what) => problems.push(what),
    },
    new AbortController().signal,
  );
  const history = await readHistory([outDir]);
  const verdict = check(history);
  console.log(`${describeVerdict(verdict)}\n\n${strikeTable(history)}`);
  if (keepIf(verdict)) console.log(`the histories are in ${outDir}`);
  else await rm(outDir, { recursive: true });
  expect(problems).toEqual([]);
  return verdict;
}

describe.each(RELEASES)('RabbitMQ %s, a single node, seed from BATON_FAULT_SEED or 7', (release) => {
  test('the fleet keeps what docs/guarantees.md promises', async () => {
    const verdict = await run(release, { build: 'baton', keepIf: fails });
    expect(sentences(verdict)).toEqual([]);
    expect(verdict.findings?.record.holds.length).toBeGreaterThan(100);
    expect(verdict.findings?.record.strikes.length).toBeGreaterThan(3);
  });

  test('the naive build fails under the same seed', async () => {
    const verdict = await run(release, { build: 'naive', keepIf: (all) => !fails(all) });
    expect(verdict.violations).not.toEqual([]);
  });
});

test('RabbitMQ 4.3 with verified grants: no two leases are valid at once, for no moment and under no fault', async () => {
  const overlapsOf = ({ findings }: Verdict) => findings?.overlaps ?? [];
  const keepIf = (all: Verdict) => fails(all) || overlapsOf(all).length > 0;
  const verdict = await run('4.3', { build: 'baton', grant: 'verified', keepIf });
  expect(sentences(verdict)).toEqual([]);
  expect(overlapsOf(verdict)).toEqual([]);
  expect(verdict.findings?.record.holds.length).toBeGreaterThan(100);
  expect(verdict.findings?.record.strikes.length).toBeGreaterThan(3);
});
