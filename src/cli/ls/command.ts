import { setTimeout as pause } from 'node:timers/promises';
import { parseLockName } from '../../options.ts';
import { EXIT } from '../exit-codes.ts';
import { parseFlags } from '../flags.ts';
import { Inspection, type Whereabouts } from '../inspection.ts';
import { type LockReport, listLocks, reportOn } from '../locks/report.ts';
import { personText, sinceText, stateText } from '../locks/text.ts';
import { ManagementError } from '../management/client.ts';
import { table } from '../table.ts';
import { printJson, printLines, say } from '../talk.ts';
import { FLAGS } from './help.ts';

const REDRAW_MS = 2_000;

interface Listing {
  readonly locks: readonly LockReport[];
  /** Why the management API told nothing. */
  readonly withoutManagement: string | undefined;
}

/** `baton ls`: every lock of the namespace, or those that are named. Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, FLAGS);
  const names = positionals.map(parseLockName);
  await using inspection = await Inspection.open(values);
  for (;;) {
    const listing = await list(inspection, names);
    const { withoutManagement: reason } = listing;
    if (reason !== undefined && names.length === 0) {
      say(
        `cannot list locks: ${reason}. Without it only locks that are named can be looked at: baton ls LOCK…`,
      );
      return EXIT.unreachable;
    }
    if (reason !== undefined) say(`holders and waiters are unknown: ${reason}`);
    if (values.json === true) await printJson(json(listing, inspection));
    else await printLines(lines(listing), { redraw: values.watch === true });
    if (values.watch !== true) return EXIT.ok;
    await pause(REDRAW_MS);
  }
}

async function list(inspection: Inspection, names: readonly string[]): Promise<Listing> {
  const { session, management, namespace } = inspection;
  const asked = await Promise.all(names.map((name) => inspection.find(name)));
  const queuesAsked = asked.map(({ queue }) => queue);
  try {
    const queues = names.length > 0 ? queuesAsked : await listLocks(management, namespace);
    const locks = await reportOn(queues, { session, management, namespace });
    return { locks: names.length > 0 ? named(locks, asked) : locks, withoutManagement: undefined };
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    const locks = await reportOn(queuesAsked, { session, management: undefined, namespace });
    return { locks: named(locks, asked), withoutManagement: error.message };
  }
}

/** The queue of a slot does not tell the name that was asked for. */
const named = (reports: readonly LockReport[], asked: readonly Whereabouts[]): LockReport[] =>
  reports.map((report, index) => ({ ...report, lock: asked[index]?.lock ?? report.lock }));

function json({ locks, withoutManagement }: Listing, { namespace }: Inspection): object {
  return { namespace, management: withoutManagement === undefined, locks };
}

function lines({ locks, withoutManagement }: Listing): string[] {
  const rows = locks.map((lock) => [
    lock.lock,
    stateText(lock),
    lock.holder === null ? (lock.state === 'held' ? '?' : '-') : personText(lock.holder, lock),
    lock.holder === null ? '-' : sinceText(lock.holder),
    lock.holder?.fence ?? '-',
    lock.waiters === null ? '?' : String(lock.waiters.length),
  ]);
  if (rows.length === 0 && withoutManagement === undefined) return ['no locks in this namespace'];
  const odd = locks.flatMap(({ lock, problem }) => (problem === null ? [] : [`${lock} is odd: ${problem}`]));
  return [...table(['LOCK', 'STATE', 'HOLDER', 'HELD SINCE', 'FENCE', 'WAITERS'], rows), ...odd];
}
