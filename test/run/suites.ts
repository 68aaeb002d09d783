/** One command of the tests. */
export interface Suite {
  readonly name: string;
  /** What it shows. */
  readonly shows: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const vitest = (project: string, shows: string, env: Suite['env'] = {}): Suite => ({
  name: env.BATON_BROKER_VERSION === undefined ? project : `${project}-${env.BATON_BROKER_VERSION}`,
  shows,
  command: ['npx', 'vitest', 'run', '--project', project],
  env,
});
const npm = (script: string, shows: string, ...args: readonly string[]): Suite => ({
  name: script.replace('test:', ''),
  shows,
  command: ['npm', 'run', '--silent', script, ...(args.length > 0 ? ['--', ...args] : [])],
});

const ON_43 = { BATON_BROKER_VERSION: '4.3' };

/**
 * Lanes run side by side; what is in one lane runs in order. On two cores: what computes lies beside what waits, because a
 * promise with a bound in time cannot be shown where nothing gets its turn.
 */
export const FAST: readonly (readonly Suite[])[] = [
  [
    npm('check', 'formatting, lint, types'),
    npm('build', 'the build'),
    vitest('unit', 'the parts, without a broker'),
    vitest('contract', 'what is promised, in memory and on RabbitMQ'),
  ],
  [vitest('cli', 'the command')],
  [
    vitest('cli-alone', 'the command, when settings of the broker change'),
    vitest('package', 'the tarball, installed as a user would'),
    npm(
      'test:simulation',
      'the protocol against a model broker, short',
      '--steps',
      '200000',
      '--mode',
      'random',
    ),
  ],
];

export const REST: readonly (readonly Suite[])[] = [
  [
    npm('test:simulation', 'the protocol against a model broker, long'),
    npm('test:mutation', 'breaks rules on purpose; the contract must notice', '--by', 'contract'),
    vitest('examples', 'the programs of docs/examples and the commands of docs/operations.md'),
    vitest('alone', 'the contract when the broker fails'),
  ],
  [
    vitest('proxied', 'the contract behind a proxy that fails'),
    vitest('slow', 'the same when the broker fails, and a log of 100,000 returns'),
    vitest('contract', 'the contract on RabbitMQ 4.3', ON_43),
    vitest('proxied', 'the same behind a proxy', ON_43),
    vitest('alone', 'the same when the broker fails', ON_43),
    vitest('slow', 'the same behind a proxy when the broker fails', ON_43),
  ],
  [
    vitest('chaos', 'a fleet on single nodes of three versions under a nemesis'),
    vitest('clusters', 'baton doctor and old members on three nodes', ON_43),
    npm('test:ticks', 'schedules with clocks apart'),
  ],
];
