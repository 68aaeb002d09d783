import { parseLockName } from '../../options.ts';
import { registerQueueName } from '../../protocol/queues.ts';
import { EXIT } from '../exit-codes.ts';
import { parseFlags } from '../flags.ts';
import { Inspection } from '../inspection.ts';
import { type Details, readDetails } from '../locks/details.ts';
import type { LockState } from '../locks/report.ts';
import { personText, sinceText } from '../locks/text.ts';
import { nodesAway } from '../management/nodes.ts';
import { ask, say } from '../talk.ts';
import { UsageError } from '../usage-error.ts';
import { FLAGS } from './help.ts';

/** `baton break LOCK`: takes a lock from its holder, by deleting its queue. Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, FLAGS);
  const [name, ...surplus] = positionals;
  if (name === undefined || surplus.length > 0)
    throw new UsageError('baton break needs the name of one lock');
  const asked = parseLockName(name);
  if (values.yes !== true && process.stdin.isTTY !== true) {
    throw new UsageError('baton break asks before it deletes anything: call it on a terminal, or with --yes');
  }
  await using inspection = await Inspection.open(values);
  const details = await readDetails(inspection, asked);
  const { lock } = details.report;
  if (details.report.state === 'absent') {
    say(`there is no lock ${JSON.stringify(lock)} in namespace ${inspection.namespace}`);
    return EXIT.no;
  }
  const away = await nodesAway(inspection.management);
  if (away === undefined) say('whether all nodes of the cluster run could not be found out');
  else if (away.length > 0 && values.anyway !== true) {
    say(refusal(lock, away));
    return EXIT.no;
  }
  if (values.yes !== true && !isYes(await ask(question(details)))) {
    say('nothing was changed');
    return EXIT.no;
  }
  await inspection.session.remove(details.report.queue);
  if (values.state === true) await inspection.session.remove(registerQueueName(inspection.namespace, lock));
  say(
    `lock ${JSON.stringify(lock)} was ${DONE[details.report.state]}, and the next one creates it with higher fences`,
  );
  return EXIT.ok;
}

const DONE: Readonly<Record<LockState, string>> = {
  held: 'taken from its holder, who has been told',
  free: 'deleted',
  'no-token': 'deleted',
  absent: 'deleted',
  odd: 'deleted',
};

function question({ report }: Details): string {
  const { lock, state, holder, waiters } = report;
  const held = holder === null ? 'held' : `held by ${personText(holder, report)} since ${sinceText(holder)}`;
  const now = { held, free: 'free', 'no-token': 'without a token', absent: 'absent', odd: 'odd' }[state];
  const line = waiters === null ? '' : `, ${waiters.length} waiting`;
  return `Lock ${JSON.stringify(lock)} is ${now}${line}. Its holder loses it at once, and must stop by itself. Break it? [y/N] `;
}

/** The deleted queue is recreated while the old one lives on in those nodes (docs/design/decisions.md). */
function refusal(lock: string, away: readonly string[]): string {
  return `lock ${JSON.stringify(lock)} was not broken, because ${away.join(', ')} does not run: once it is back, clients that take this lock through it could wait without end, hold up everybody, or be given an old fence. Break it when all nodes run; or end its holder (baton show says who), or his connection (rabbitmqctl close_connection). --anyway breaks it`;
}

const isYes = (answer: string): boolean => /^y(es)?$/i.test(answer.trim());
