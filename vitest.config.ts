import { defineConfig } from 'vitest/config';

// .ci/run sums the counts of all runs from these files.
const reports = process.env.BATON_TEST_REPORT_DIR;

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
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'contract',
          include: [
            'test/contract/**/*.test.ts',
            'test/integration/**/*.test.ts',
            'test/simulation/conformance/**/*.test.ts',
          ],
          globalSetup: ['test/support/global-setup.ts'],
          // One broker for all files: an alarm or a restart in one would be felt in the others.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'cli',
          include: ['test/cli/**/*.test.ts'],
          globalSetup: ['test/cli/support/global-setup.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
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
          name: 'fault',
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
