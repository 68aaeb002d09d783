import { type Flags, MANAGEMENT } from '../flags.ts';
import { COMMON_CODES, CONNECTION_HELP, columns, flagRows } from '../help.ts';

export const FLAGS = {
  jobs: {
    help: 'also read the record of each job whose lock is free; takes the lock for some milliseconds, as show does',
  },
  json: { help: 'one JSON object: worst level, and findings with check, level, says and fix' },
  ...MANAGEMENT,
} as const satisfies Flags;

export const HELP = `Usage: baton doctor [options]

Examines the broker as a place for the locks of a namespace: connection and latency, version and its known defects,
permissions, alarms, partition handling, policies and operator policies that can destroy or hide a token, consumer
timeout, heartbeat, number of locks, callers who do not agree on --slots, consumers with a priority, and locks whose
token is missing or double. Each finding says what it means and, where something is to be done, the command. Makes a lock of its own, baton-doctor@HOST, and removes it.

Options:
${flagRows(FLAGS)}

${CONNECTION_HELP}

Exit codes:
${columns([
  ['0', 'nothing to do'],
  ['1', 'warnings: works, and will not under some fault'],
  ['2', 'problems: something does not work'],
  ...COMMON_CODES,
])}
`;
