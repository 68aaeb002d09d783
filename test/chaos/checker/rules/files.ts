import type { RunRecord } from '../record.ts';
import type { Hold, Overlap, Span, Violation } from '../types.ts';

/** Why an element that was acknowledged is missing from the plain files. */
export type Explanation = 'overlap' | 'late-write';

export interface Missing {
  readonly lock: string;
  readonly element: string;
  readonly at: number;
  readonly by: Explanation | undefined;
}

/**
 * Elements of the plain files that were written and are not there at the end. Two belief intervals that overlapped
 * explain one; so does a process that stood still between its check and its write, against which no lock helps.
 */
export function findMissing(record: RunRecord, overlaps: readonly Overlap[]): Missing[] {
  const final = new Map(record.ofType('files').map(({ lock, elements }) => [lock, new Set(elements)]));
  return [...record.byLock].flatMap(([lock, holds]) => {
    const there = final.get(lock);
    if (there === undefined) return [];
    const writes = holds.flatMap(writesOf);
    return writes
      .filter(({ element }) => !there.has(element))
      .map((write) => ({
        lock,
        element: write.element,
        at: write.to,
        by: explain(write, writes, overlaps, record),
      }));
  });
}

export function checkFiles(record: RunRecord, missing: readonly Missing[]): Violation[] {
  const seen = new Set(record.ofType('files').map(({ lock }) => lock));
  const unseen = [...record.byLock].filter(
    ([lock, holds]) =>
      !seen.has(lock) && holds.some(({ steps }) => steps.some(({ type }) => type === 'filed')),
  );
  return [
    ...unseen.map(([lock]) =>
      record.violation(
        'history',
        record.endAt,
        lock,
        'the history does not say what the files hold at the end',
      ),
    ),
    ...missing
      .filter(({ by }) => by === undefined)
      .map(({ lock, element, at }) =>
        record.violation('file-set', at, lock, `${element} was written and is gone, and nobody overlapped`),
      ),
  ];
}

/** From the reading of the page to the writing, at most. */
interface Write extends Span {
  readonly hold: Hold;
  readonly element: string;
}

function writesOf(hold: Hold): Write[] {
  let from = hold.grantedAt;
  let checks: number[] = [];
  const writes: Write[] = [];
  for (const step of hold.steps) {
    if (step.type === 'believed') {
      checks.push(step.at);
      continue;
    }
    // The last check comes right before the writing, the one before it right before the reading.
    from = checks.at(-2) ?? from;
    writes.push({ hold, element: step.element, from, to: step.at });
    checks = [];
  }
  return writes;
}

const partOf =
  ({ older, newer }: Overlap) =>
  ({ hold }: Write) =>
    hold === older || newer.includes(hold);

function explain(
  lost: Write,
  writes: readonly Write[],
  overlaps: readonly Overlap[],
  { standstills }: RunRecord,
): Explanation | undefined {
  const meets = (span: Span) => span.from <= lost.to && lost.from <= span.to;
  const rivals = writes.filter((write) => write.hold !== lost.hold && meets(write));
  const overlapped = overlaps.some(
    (overlap) =>
      [overlap.older, ...overlap.newer].includes(lost.hold) &&
      (meets(overlap) || rivals.some(partOf(overlap))),
  );
  if (overlapped) return 'overlap';
  const stood = (write: Write) =>
    (standstills.get(write.hold.who) ?? []).some(({ from, to }) => from <= write.to && write.from <= to);
  return rivals.some(stood) || (stood(lost) && rivals.length > 0) ? 'late-write' : undefined;
}
