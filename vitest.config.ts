import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

// .ci/run sums the counts of all runs from these files.
const reports = process.env.BATON_TEST_REPORT_DIR;

type Options = NonNullable<TestProjectInlineConfiguration['test']>;

/** Tests of the command that change settings of the whole broker. */
const ADMINISTER = ['test/cli/doctor/doctor.test.ts', 'test/cli/hostile.test.ts'];
/** For tests that wait most of the time. */
const AT_ONCE = 2;

function withBroker(name: string, setup: string, options: Options): TestProjectInlineConfiguration {
  const times = { testTimeout: 60_000, hookTimeout: 120_000 };
  return {
    extends: true,
    // Each file closes what it opens, so that files share a process, which loads everything once.
    test: { name, globalSetup: [setup], maxWorkers: AT_ONCE, isolate: false, ...times, ...options },
  };
}

/** Tests with one broker for all files of the project. */
const broker = (name: string, options: Options) => withBroker(name, 'test/support/global-setup.ts', options);
/** The same, with the management plugin and the command as it is published. */
const command = (name: string, options: Options) =>
  withBroker(name, 'test/cli/support/global-setup.ts', options);

export default defineConfig({
  test: {
    ...(reports && {
      reporters: ['default', 'json'],
      outputFile: { json: `${reports}/${Date.now()}-${process.pid}.json` },
    }),
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'test/unit/**/*.test.ts',
            'test/chaos/{checker,results,nemesis,site,wire}/**/*.test.ts',
            'test/simulation/tests/*.test.ts',
          ],
          pool: 'threads',
          isolate: false, // a third of the time; no file leaves anything behind
          testTimeout: 60_000,
        },
      },
      // On one broker, side by side.
      broker('contract', {
        include: [
          'test/contract/parts/{memory,rabbitmq}-?.test.ts',
          'test/contract/coverage.test.ts',
          'test/integration/*.test.ts',
          'test/integration/session/*.test.ts',
        ],
      }),
      broker('proxied', { include: ['test/contract/parts/proxied-?.test.ts'] }),
      // These raise an alarm or end the broker: everybody on it would feel that.
      broker('alone', {
        include: [
          'test/contract/parts/rabbitmq-alone.test.ts',
          'test/integration/alone/*.test.ts',
          'test/simulation/conformance/**/*.test.ts',
        ],
        fileParallelism: false,
      }),
      broker('slow', {
        include: ['test/contract/parts/proxied-alone.test.ts', 'test/integration/slow/*.test.ts'],
        fileParallelism: false,
      }),
      command('cli', { include: ['test/cli/**/*.test.ts'], exclude: ADMINISTER }),
      command('cli-alone', { include: ADMINISTER, fileParallelism: false }),
      {
        extends: true,
        test: {
          name: 'ticks',
          include: ['test/ticks/*.test.ts'],
          globalSetup: ['test/ticks/global-setup.ts'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'chaos',
          include: ['test/chaos/suite/*.test.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'clusters',
          include: ['test/chaos/clusters/*.test.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'examples',
          include: ['test/examples/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts', 'test/examples/build.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
