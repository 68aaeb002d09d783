import { byTime, type DemoEvent, type Job } from './events.ts';
import type { JournalLine } from './store.ts';

/** What is left of one shared file. */
export interface FileState {
  readonly value: number;
  readonly journal: readonly JournalLine[];
}

export interface Outcome {
  readonly jobs: readonly Job[];
  readonly files: ReadonlyMap<string, FileState>;
  readonly events: readonly DemoEvent[];
}

/** Everything that is wrong, one sentence each; nothing if the locks did their work. */
export function check(outcome: Outcome): string[] {
  const { jobs, files } = outcome;
  const events = byTime(outcome.events);
  return [
    ...checkJobs(jobs, files, events),
    ...[...files].flatMap(([resource, file]) => [
      ...checkValues(resource, file, jobs),
      ...checkFences(`the journal of ${resource}`, file.journal),
      ...checkFences(
        `the grants of ${resource}`,
        events.filter((event) => event.type === 'granted' && event.resource === resource),
      ),
      ...checkOverlap(
        resource,
        events.filter((event) => event.resource === resource),
      ),
    ]),
    ...checkKill(files, events),
    ...checkFreeze(files, events),
  ];
}

type Files = Outcome['files'];

function checkJobs(jobs: readonly Job[], files: Files, events: readonly DemoEvent[]): string[] {
  return jobs.flatMap(({ id, resource }) => {
    const lines = [...files].flatMap(([name, { journal }]) =>
      journal.filter(({ job }) => job === id).map((line) => ({ ...line, name })),
    );
    const said = events.filter(({ type, job }) => type === 'done' && job === id).length;
    return [
      ...(lines.length === 0 ? [`job ${id} is missing from every journal`] : []),
      ...(lines.length > 1 ? [`job ${id} was done ${lines.length} times`] : []),
      ...(lines.some(({ name }) => name !== resource) ? [`job ${id} was done on the wrong resource`] : []),
      ...(said === 1 ? [] : [`job ${id} was reported done ${said} times`]),
    ];
  });
}

function checkValues(resource: string, { value, journal }: FileState, jobs: readonly Job[]): string[] {
  const findings: string[] = [];
  let last: JournalLine | undefined;
  for (const line of journal) {
    const left = last?.after ?? 0;
    if (line.before !== left) {
      const found = `job ${line.job} of ${line.worker} had read ${line.before}, but`;
      const previous = last === undefined ? 'the file began with 0' : `job ${last.job} had left ${left}`;
      findings.push(`lost update on ${resource}: ${found} ${previous}`);
    }
    const amount = jobs.find(({ id }) => id === line.job)?.amount;
    if (line.after - line.before !== amount) {
      findings.push(
        `job ${line.job} changed ${resource} by ${line.after - line.before} instead of ${amount}`,
      );
    }
    last = line;
  }
  const expected = jobs.filter((job) => job.resource === resource).reduce((sum, job) => sum + job.amount, 0);
  if (value !== expected) findings.push(`${resource} ends with ${value} instead of ${expected}`);
  return findings;
}

function checkFences(where: string, entries: readonly { fence?: string; worker: string }[]): string[] {
  return entries.flatMap(({ fence = '0', worker }, index) => {
    const earlier = entries[index - 1]?.fence;
    if (earlier === undefined || BigInt(fence) > BigInt(earlier)) return [];
    return [`fences do not rise in ${where}: ${fence} of ${worker} came after ${earlier}`];
  });
}

/** A stopped process cannot act, so a hold ends when its worker is killed or frozen, not when it hears of it. */
const ENDS: ReadonlySet<DemoEvent['type']> = new Set(['releasing', 'lost', 'killed', 'frozen']);

function checkOverlap(resource: string, events: readonly DemoEvent[]): string[] {
  const findings: string[] = [];
  const holders = new Map<string, DemoEvent>();
  for (const event of events) {
    if (event.type === 'granted') {
      for (const holder of holders.values()) {
        findings.push(
          `overlap on ${resource}: ${event.worker} was granted while ${holder.worker} held it for job ${holder.job}`,
        );
      }
      holders.set(event.worker, event);
    } else if (ENDS.has(event.type)) holders.delete(event.worker);
  }
  for (const { worker, job } of holders.values())
    findings.push(`${worker} never released ${resource} after job ${job}`);
  return findings;
}

function checkKill(files: Files, events: readonly DemoEvent[]): string[] {
  const killed = events.find(({ type }) => type === 'killed');
  if (killed === undefined) return ['no holder was killed'];
  return checkTakenOver(killed, files);
}

function checkFreeze(files: Files, events: readonly DemoEvent[]): string[] {
  const frozen = events.find(({ type }) => type === 'frozen');
  if (frozen === undefined) return ['no holder was frozen'];
  const { worker, job, resource } = frozen;
  const later = events.slice(events.indexOf(frozen) + 1);
  const woke = later.findIndex((event) => event.type === 'continued' && event.worker === worker);
  if (woke < 0) return [`${worker} was never continued`];
  const successor = later
    .slice(0, woke)
    .find((event) => event.type === 'granted' && event.resource === resource);
  const [first, second] = later.slice(woke + 1).filter((event) => event.worker === worker);
  const findings = checkTakenOver(frozen, files);
  if (successor === undefined) findings.push(`nobody was granted ${resource} while ${worker} was frozen`);
  if (first?.type !== 'lost' || first.job !== job)
    findings.push(`${worker} woke up and did not notice that it had lost job ${job}`);
  if (second?.type !== 'late-refused')
    findings.push(`the late write of ${worker} for job ${job} was not refused`);
  if (events.some(({ type }) => type === 'late-accepted'))
    findings.push('the store accepted a write of a worker that had lost its lease');
  return findings;
}

/** The victim's job must have been done by somebody else. */
function checkTakenOver(victim: DemoEvent, files: Files): string[] {
  const line = files.get(victim.resource)?.journal.find(({ job }) => job === victim.job);
  if (line === undefined || line.worker !== victim.worker) return [];
  return [`job ${victim.job} was not done by another worker after ${victim.worker} was ${victim.type}`];
}
