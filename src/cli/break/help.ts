import { COMMON_CODES, columns, connectionHelp, MANAGEMENT_HELP } from '../help.ts';

export const HELP = `Usage: baton break LOCK [options]

Takes LOCK from whoever has it, by deleting its queue. The holder is told at once (its lease is lost: queue-deleted), and
must stop by itself. Who waits, or comes next, makes the queue anew, with fences above the clock and above every one it
has seen. Asks first.

Options:
${columns([['-y, --yes', 'do not ask'], MANAGEMENT_HELP])}

${connectionHelp()}

Exit codes:
${columns([['0', 'broken'], ['1', 'the answer was no, or there is no such lock'], ...COMMON_CODES])}
`;
