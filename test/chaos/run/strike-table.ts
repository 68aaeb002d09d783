import type { History } from '../checker/read.ts';
import type { HistoryEventOf, Phase } from '../history.ts';
import { AIMED } from '../nemesis/plan.ts';

/**
 * How often each fault struck, and in how many of these strikes it met somebody in the phase whose connection was held
 * still until the fault was at work.
 */
export function strikeTable({ events }: Pick<History, 'events'>): string {
  const strikes = events.filter((event): event is HistoryEventOf<'struck'> => event.type === 'struck');
  const met = ({ hit }: HistoryEventOf<'struck'>, wanted: Phase): boolean =>
    hit.some(({ phase, held }) => held === true && phase === wanted);
  const rows = [...new Set(strikes.map(({ fault }) => fault))].sort().map((fault) => {
    const own = strikes.filter((strike) => strike.fault === fault);
    return [fault, own.length, ...AIMED.map((phase) => own.filter((strike) => met(strike, phase)).length)];
  });
  return [['fault', 'strikes', ...AIMED], ...rows]
    .map(
      ([fault, ...counts]) =>
        String(fault).padEnd(24) + counts.map((count) => String(count).padStart(10)).join(''),
    )
    .join('\n');
}
