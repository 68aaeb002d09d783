import { type Flags, MANAGEMENT } from '../flags.ts';
import { COMMON_CODES, CONNECTION_HELP, columns, flagRows } from '../help.ts';

const OWN = {
  wait: { value: 'TIME', help: 'give up after this time (500ms, 30s, 5m, 2h, 1d, 1w)' },
  'no-wait': { help: 'give up at once if somebody else holds LOCK' },
  'kill-after': {
    value: 'TIME',
    help: 'SIGTERM comes so long before the lease ends, SIGKILL at its end (default: 5s)',
  },
  'scrub-env': { help: 'COMMAND does not get BATON_URL and the other variables in which a password can be' },
  label: { value: 'TEXT', help: 'shown to operators (default: COMMAND)' },
  quiet: {
    short: 'q',
    env: true,
    help: 'a wait of more than 2 s says nothing of who holds LOCK; so with --once-per',
  },
  ...MANAGEMENT,
} as const satisfies Flags;

export const ONCE = {
  'once-per': {
    value: 'WHEN',
    help: "cron expression ('0 3 * * *') or time since the start of the last run (12h, 1d, 1w);\nif the last tick is done, baton ends with 0 and says nothing. COMMAND gets BATON_TICK",
  },
  tz: { value: 'ZONE', help: 'of the cron expression, such as Europe/Berlin (default: that of the process)' },
  'at-least-once': { help: 'a tick is done when COMMAND has ended with 0 (the default)' },
  'at-most-once': {
    help: 'a tick is done before COMMAND starts; the first call ever only begins to remember',
  },
} as const satisfies Flags;

export const FLAGS = { ...OWN, ...ONCE };

export const HELP = `Usage: baton run LOCK [options] -- COMMAND [ARGS…]

Runs COMMAND while holding LOCK, and releases it afterwards. Waits for LOCK without end unless told otherwise.
COMMAND gets BATON_LOCK and BATON_FENCE in its environment, and is dead when the lease ends, with every process of its
session (Linux; elsewhere of its process group). What calls setsid itself, or runs as another user, is out of reach.

Options:
${flagRows(OWN)}

Once for each tick, on one of all the machines that call it for that tick (crontab, systemd timer, by hand):
${flagRows(ONCE)}

${CONNECTION_HELP}

Exit codes: those of COMMAND, 128 + n when signal n killed it, and
${columns([
  ['75', 'not acquired in time; COMMAND did not run'],
  ['79', 'LOCK was lost; COMMAND was killed, or its success cannot be vouched for'],
  ...COMMON_CODES,
  ['126', 'COMMAND cannot be run'],
  ['127', 'COMMAND was not found'],
  ['128 + n', 'interrupted by signal n while waiting; COMMAND did not run'],
])}
`;
