import { parseLockName } from '../../options.ts';
import { EXIT } from '../exit-codes.ts';
import { parseFlags } from '../flags.ts';
import { Inspection } from '../inspection.ts';
import { type Details, readDetails } from '../locks/details.ts';
import { type Job, jobFacts, jobJson, readJob } from '../locks/job.ts';
import type { LockReport, Person } from '../locks/report.ts';
import { personText, stateText } from '../locks/text.ts';
import { ago, facts, table } from '../table.ts';
import { printJson, printLines, say } from '../talk.ts';
import { UsageError } from '../usage-error.ts';
import { FLAGS } from './help.ts';

/** `baton show LOCK`: who holds it, who waits, and the last run of a job. Resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, FLAGS);
  const [name, ...surplus] = positionals;
  if (name === undefined || surplus.length > 0) throw new UsageError('baton show needs the name of one lock');
  const lock = parseLockName(name);
  await using inspection = await Inspection.open(values);
  const details = await readDetails(inspection, lock);
  const { withoutManagement: reason } = details;
  if (reason !== undefined) say(`holder and waiters are unknown: ${reason}`);
  const job = await readJob(inspection, details.report);
  if (values.json === true) await printJson(json(details, job, inspection));
  else await printLines(lines(details, job));
  return details.report.state === 'absent' ? EXIT.no : EXIT.ok;
}

function json(
  { report, connections, withoutManagement }: Details,
  job: Job,
  { namespace }: Inspection,
): object {
  const full = <P extends Person>(person: P) => ({
    ...person,
    label: connections.get(person.connection)?.label ?? null,
    connectedSince: connections.get(person.connection)?.since ?? null,
  });
  const { holder, waiters } = report;
  return {
    namespace,
    management: withoutManagement === undefined,
    ...report,
    holder: holder && full(holder),
    waiters: waiters?.map(full) ?? null,
    job: jobJson(job),
  };
}

function lines({ report, connections, withoutManagement }: Details, job: Job): string[] {
  const { lock, queue, holder, waiters } = report;
  const labelOf = ({ connection }: Person) => connections.get(connection)?.label ?? '-';
  const known: [string, string][] = [
    ['lock', lock],
    ['queue', queue],
    [
      'state',
      report.problem === null ? (EXPLAINED[report.state] ?? stateText(report)) : `odd: ${report.problem}`,
    ],
  ];
  if (holder !== null) {
    known.push(
      ['holder', personText(holder, report)],
      ['label', labelOf(holder)],
      ['connection', holder.connection],
    );
    known.push(['in line since', ago(holder.inLineSince)]);
    known.push(['held since', holder.heldSince === null ? 'its holder has not told' : ago(holder.heldSince)]);
    known.push(['fence', holder.fence ?? 'its holder has not told']);
  } else if (report.state === 'held') {
    const why = withoutManagement === undefined ? 'unknown yet: it came less than 5 s ago' : 'unknown';
    known.push(['holder', why]);
  }
  known.push(...jobFacts(job));
  if (waiters === null) return facts(known);
  if (waiters.length === 0) return facts([...known, ['waiters', 'none']]);
  const rows = waiters.map((waiter, index) => [
    String(index + 1),
    personText(waiter, report),
    labelOf(waiter),
    ago(waiter.inLineSince),
    waiter.connection,
  ]);
  return [...facts(known), '', ...table(['#', 'WAITER', 'LABEL', 'IN LINE SINCE', 'CONNECTION'], rows)];
}

const EXPLAINED: Readonly<Partial<Record<LockReport['state'], string>>> = {
  'no-token': 'no token, and nobody in line: the next client replaces it',
  absent: 'absent: nobody has used it yet, or it was deleted',
};
