import { type Flags, MANAGEMENT } from '../flags.ts';
import { COMMON_CODES, CONNECTION_HELP, columns, flagRows } from '../help.ts';

export const FLAGS = {
  yes: { short: 'y', help: 'do not ask' },
  state: { help: 'delete the state that LOCK carries, too: for a message in it that no client can read' },
  anyway: {
    help: 'also while a node does not run: it keeps the old queue, and clients of that node can block the lock',
  },
  ...MANAGEMENT,
} as const satisfies Flags;

export const HELP = `Usage: baton break LOCK [options]

Takes LOCK from its holder, by deleting its queue. The holder is told at once (its lease is lost: queue-deleted), and
must stop by itself. A waiter, or the next client, recreates the queue, with fences above the clock and above every one
it has seen. Asks first. Refuses while a node of the cluster does not run.

Options:
${flagRows(FLAGS)}

${CONNECTION_HELP}

Exit codes:
${columns([['0', 'deleted'], ['1', 'the answer was no, a node does not run, or there is no such lock'], ...COMMON_CODES])}
`;
