import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { GrantMode } from '../../../src/index.ts';
import type { Build } from '../fleet/index.ts';
import { RELEASES, type Release, type Site } from '../site/index.ts';

export interface RunOptions {
  readonly site: Site['kind'];
  readonly release: Release;
  /** How long the nemesis strikes; starting, healing and checking come on top. */
  readonly minutes: number;
  readonly seed: number;
  readonly build: Build;
  readonly grant: GrantMode;
  readonly slots: number;
  readonly locks: readonly string[];
  /** Whether a cluster of 4.0 becomes one of 4.3 in the middle of it. */
  readonly upgrade?: boolean;
  /** How long a lock may take to be granted when the faults are over, in milliseconds. Default: 120 000. */
  readonly calmMs?: number;
  /** Where the histories go. */
  readonly outDir: string;
}

/** Strikes that a minute has, or a little less. */
const STEPS_PER_MINUTE = 10;

/** The step at which the cluster is upgraded. */
export const upgradeAt = ({
  upgrade,
  minutes,
}: Pick<RunOptions, 'upgrade' | 'minutes'>): number | undefined =>
  upgrade ? Math.ceil((minutes * STEPS_PER_MINUTE) / 2) : undefined;

export const USAGE = `tsx test/chaos/run/main.ts [options]
  --site single|cluster      cluster by default
  --version 3.10|4.0|4.3     4.3 by default
  --minutes M                how long the nemesis strikes, 10 by default
  --seed N                   1 by default
  --build baton|naive        baton by default
  --grant auto|verified|immediate
  --workers N                8 by default
  --locks N                  4 by default
  --upgrade                  a cluster of 4.0 becomes one of 4.3 on the way
  --out DIR                  for the histories; a new folder by default
  --plan                     prints what the nemesis is going to do, and does nothing`;

export interface Command extends RunOptions {
  readonly onlyPlan: boolean;
}

/** @throws Error with one sentence about what cannot be understood. */
export function parseCommand(args: readonly string[]): Command {
  const { values } = parseArgs({
    args: [...args],
    options: {
      site: { type: 'string', default: 'cluster' },
      version: { type: 'string', default: '4.3' },
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      build: { type: 'string', default: 'baton' },
      grant: { type: 'string', default: 'auto' },
      workers: { type: 'string', default: '8' },
      locks: { type: 'string', default: '4' },
      upgrade: { type: 'boolean', default: false },
      out: { type: 'string' },
      plan: { type: 'boolean', default: false },
    },
  });
  if (values.upgrade && (values.site !== 'cluster' || values.version !== '4.0'))
    throw new Error('--upgrade is for --site cluster --version 4.0');
  return {
    site: oneOf('site', ['single', 'cluster'], values.site),
    release: oneOf('version', RELEASES, values.version),
    build: oneOf('build', ['baton', 'naive'], values.build),
    grant: oneOf('grant', ['auto', 'verified', 'immediate'], values.grant),
    minutes: positive('minutes', values.minutes),
    seed: Math.floor(positive('seed', values.seed)),
    slots: Math.floor(positive('workers', values.workers)),
    locks: Array.from({ length: Math.floor(positive('locks', values.locks)) }, (_, index) => `l${index}`),
    outDir: values.out ?? (values.plan ? '' : mkdtempSync(join(tmpdir(), 'batonmq-fault-'))),
    upgrade: values.upgrade,
    onlyPlan: values.plan,
  };
}

function oneOf<T extends string>(option: string, choices: readonly T[], given: string): T {
  const found = choices.find((choice) => choice === given);
  if (found === undefined) throw new Error(`--${option} is one of ${choices.join(', ')}, not ${given}`);
  return found;
}

function positive(option: string, given: string): number {
  const value = Number(given);
  if (!(value > 0)) throw new Error(`--${option} is a number above 0, not ${given}`);
  return value;
}
