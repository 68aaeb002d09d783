import { FAULTS } from '../judgement.ts';
import type { RunRecord } from '../record.ts';
import type { Violation } from '../types.ts';

/** A history that contradicts itself proves nothing. */
export function checkHistory(record: RunRecord): Violation[] {
  const { problems, strikes, ofType } = record;
  const struck = new Set(strikes.map(({ id }) => id));
  return [
    ...problems.map(({ event, what }) =>
      record.violation('history', event.at, 'lock' in event ? event.lock : undefined, what),
    ),
    ...strikes
      .filter(({ fault }) => !Object.hasOwn(FAULTS, fault))
      .map(({ from, fault }) =>
        record.violation('history', from, undefined, `nothing is known of the fault ${fault}`),
      ),
    ...strikes
      .filter(({ to, from }) => !Number.isFinite(to) && from < (record.calmAt ?? 0))
      .map(({ from, fault, id }) =>
        record.violation('history', from, undefined, `${fault} (${id}) was not over when calm was declared`),
      ),
    ...ofType('healed')
      .filter(({ id }) => !struck.has(id))
      .map(({ at, fault }) =>
        record.violation('history', at, undefined, `${fault} was healed and never struck`),
      ),
    ...ofType('crashed').map(({ at, who, error }) =>
      record.violation('crash', at, undefined, `${who}: ${error.slice(0, 300)}`),
    ),
  ];
}
