import type { Outcome } from './check.ts';
import { handOffs, spreadOf } from './latency.ts';
import { milliseconds } from './paint.ts';
import { LOCK_TIMES } from './times.ts';

const MAX_FINDINGS = 12;

/** The end of the demo, in words. `findings` come from the check. */
export function summarise(outcome: Outcome, findings: readonly string[], tookMs: number): string[] {
  const { jobs, files, events } = outcome;
  const lines = [...files.values()].flatMap(({ journal }) => journal);
  const done = new Set(lines.map(({ job }) => job)).size;
  const count = (type: string): number => events.filter((event) => event.type === type).length;
  const passed = handOffs(events);
  const spread = spreadOf(passed.filter(({ after }) => after === 'releasing').map(({ ms }) => ms));
  const after = (fault: string): string => {
    const found = passed.find((handOff) => handOff.after === fault);
    return found === undefined ? 'no next grant' : `next grant after ${milliseconds(found.ms)}`;
  };
  const perFile = [...files].map(
    ([name, { journal, value }]) => `${name} ${journal.length} (value ${value})`,
  );
  const frozen = events.find(({ type }) => type === 'frozen');
  const ofFrozen = events.filter(
    ({ type, worker, job }) => type === 'lost' && worker === frozen?.worker && job === frozen.job,
  ).length;
  const { heartbeatMs, leaseMs } = LOCK_TIMES;

  return [
    row('jobs', `${done} of ${jobs.length} in ${(tookMs / 1_000).toFixed(1)} s, ${count('granted')} grants`),
    row('files', perFile.join(', ')),
    row('hand-off', spread === undefined ? 'none' : describe(spread)),
    row('SIGKILL', after('killed')),
    row('SIGSTOP', `${after('frozen')} (heartbeat ${heartbeatMs} ms, lease ${leaseMs} ms)`),
    row('late writes', lateWrites(count('late-refused'), count('late-accepted'))),
    row('lost leases', `${count('lost')}, of which ${ofFrozen} by the frozen worker`),
    ...verdict(findings),
  ];
}

function describe({ count, median, p95, worst }: NonNullable<ReturnType<typeof spreadOf>>): string {
  const [middle, high, top] = [median, p95, worst].map(milliseconds);
  return `median ${middle}, p95 ${high}, worst ${top} (${count}, release to grant)`;
}

function lateWrites(refused: number, accepted: number): string {
  if (accepted > 0) return `${refused} refused, ${accepted} ACCEPTED`;
  return refused === 0 ? 'none' : `${refused} refused, as it should be`;
}

function verdict(findings: readonly string[]): string[] {
  if (findings.length === 0)
    return [row('check', 'ok: no overlap, no lost update, every job once, fences rising')];
  const shown = findings.slice(0, MAX_FINDINGS).map((finding) => `    - ${finding}`);
  const more = findings.length - shown.length;
  return [
    row('check', `FAILED, ${findings.length} finding${findings.length === 1 ? '' : 's'}:`),
    ...shown,
    ...(more > 0 ? [`    - and ${more} more`] : []),
  ];
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(13)}${text}`;
}
