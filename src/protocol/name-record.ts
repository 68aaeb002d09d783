import type { Instant } from './instant.ts';
import type { QueueDepth } from './port.ts';
import { IDLE_WATCH, type TokenWatch, type TokenWatchEvent, watch } from './token-watch.ts';

/** How long after its own release a process does not take "nothing ready" for "somebody else holds it". */
const JUST_RELEASED_MS = 250;

/** What one process knows of one name, across all attempts. Times are of the monotonic clock. */
export interface NameRecord {
  /** Highest fence seen of any token of this name; 0 if none. */
  readonly highestSeen: bigint;
  /** The queue was seen and may be consumed without a look. */
  readonly known: boolean;
  /** Somebody of this process has been in line. */
  readonly wasInLine: boolean;
  /** The register's queue was seen. */
  readonly registerKnown: boolean;
  /** When this process last heard that the queue is no more. The holder of its token may not have heard of it. */
  readonly queueEndedAt: number | undefined;
  /** When a channel of this name was last closed: the token follows, in 0.7 ms on an idle broker and later on a busy one. */
  readonly releasedAt: number;
  readonly tokenWatch: TokenWatch;
}

export type RecordEvent =
  | { readonly type: 'fence-seen'; readonly fence: bigint }
  | { readonly type: 'queue-known' | 'register-known'; readonly known: boolean }
  /** `wasInLine`: of the record when the question was asked. */
  | { readonly type: 'looked'; readonly depth: QueueDepth | 'absent'; readonly wasInLine: boolean }
  | { readonly type: 'declared'; readonly depth: QueueDepth; readonly wasInLine: boolean }
  | { readonly type: 'joined' | 'left' | 'released' | 'queue-ended' | 'wake' };

export interface RecordInputs {
  readonly now: Instant;
  readonly healAfterMs: number;
  /** 0 to 1, spreads the looks and probes of a fleet. */
  readonly jitter: () => number;
}

/** What the watch over the token wants, in the background: nobody waits for its answer. */
export type Errand = 'look' | 'probe';

export type RecordStep = readonly [NameRecord, Errand | undefined];

export const NEW_RECORD: NameRecord = {
  highestSeen: 0n,
  known: false,
  wasInLine: false,
  registerKnown: false,
  queueEndedAt: undefined,
  releasedAt: Number.NEGATIVE_INFINITY,
  tokenWatch: IDLE_WATCH,
};

export function recordStep(record: NameRecord, event: RecordEvent, inputs: RecordInputs): RecordStep {
  switch (event.type) {
    case 'fence-seen': {
      const known = event.fence > record.highestSeen ? { ...record, highestSeen: event.fence } : record;
      return watched(known, { type: 'token-seen' }, inputs);
    }
    case 'queue-known':
      if (record.known === event.known && (record.wasInLine || !event.known)) return [record, undefined];
      return [{ ...record, known: event.known, wasInLine: record.wasInLine || event.known }, undefined];
    case 'register-known':
      return [{ ...record, registerKnown: event.known }, undefined];
    case 'queue-ended':
      return [ended(record, inputs), undefined];
    case 'looked':
      if (event.depth !== 'absent')
        return watched(record, { type: 'looked', ready: event.depth.ready }, inputs);
      return [event.wasInLine ? ended(record, inputs) : record, undefined];
    case 'declared': {
      // Made by this declaration, or without a token: the one that this process waited for has gone in either case.
      const isEmpty = event.depth.ready === 0 && event.depth.consumers === 0;
      return [event.wasInLine && isEmpty ? ended(record, inputs) : record, undefined];
    }
    case 'released':
      return [{ ...record, releasedAt: inputs.now.mono }, undefined];
    case 'joined':
    case 'left':
    case 'wake':
      return watched(record, { type: event.type }, inputs);
  }
}

/** Whether this process released the lock a moment ago, so that the token may not be back in its queue yet. */
export function hasJustReleased({ releasedAt }: NameRecord, nowMono: number): boolean {
  return nowMono - releasedAt < JUST_RELEASED_MS;
}

const ended = (record: NameRecord, { now }: RecordInputs): NameRecord => ({
  ...record,
  queueEndedAt: now.mono,
});

function watched(
  record: NameRecord,
  event: TokenWatchEvent,
  { now, healAfterMs, jitter }: RecordInputs,
): RecordStep {
  const [tokenWatch, errand] = watch(record.tokenWatch, event, {
    nowMono: now.mono,
    healAfterMs,
    jitter: jitter(),
  });
  return [tokenWatch === record.tokenWatch ? record : { ...record, tokenWatch }, errand];
}
