import { type Flags, MANAGEMENT } from '../flags.ts';
import { COMMON_CODES, CONNECTION_HELP, columns, flagRows } from '../help.ts';

export const FLAGS = { json: { help: 'one JSON object' }, ...MANAGEMENT } as const satisfies Flags;

export const HELP = `Usage: baton show LOCK [options]

Shows who holds LOCK (a name, or what baton ls prints in its place), since when and with which fence, and who waits, in order. The state is asked of the broker and is
that of now; the rest comes from its management API, where newcomers show after up to 5 s. Since when and with which
fence a lock is held is told by its holder, a second after the grant. Times and order are of the waiters' own clocks.

Of a job (baton run --once-per, baton.schedule) also its last run: who, when, how long, exit code. To read that, LOCK is
taken for some milliseconds if it is free.

Options:
${flagRows(FLAGS)}

${CONNECTION_HELP}

Exit codes:
${columns([['0', 'shown'], ['1', 'there is no such lock'], ...COMMON_CODES])}
`;
