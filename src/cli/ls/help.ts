import { type Flags, MANAGEMENT } from '../flags.ts';
import { COMMON_CODES, CONNECTION_HELP, columns, flagRows } from '../help.ts';

export const FLAGS = {
  json: { help: 'one JSON object: namespace, management (whether that API answered), locks' },
  watch: { help: 'again every 2 s; with --json one line each' },
  ...MANAGEMENT,
} as const satisfies Flags;

export const HELP = `Usage: baton ls [LOCK…] [options]

Lists the locks of the namespace, or those that are named: held or free, by whom, since when, with which fence, and how
many wait. The state is asked of the broker and is that of now; the rest comes from its management API, where newcomers
show after up to 5 s. "after TIME" in the place of a time: the holder has been in line since then, and not told more.

Options:
${flagRows(FLAGS)}

${CONNECTION_HELP}

Exit codes:
${columns([['0', 'listed'], ...COMMON_CODES, ['69', 'also: the management API does not answer, and no LOCK is named']])}
`;
