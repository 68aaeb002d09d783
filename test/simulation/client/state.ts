import type { ClientEvent } from '../../../src/protocol/client-step.ts';
import type { ContenderState, Rules } from '../../../src/protocol/contender/types.ts';
import type { Instant } from '../../../src/protocol/instant.ts';
import { type NameRecord, NEW_RECORD } from '../../../src/protocol/name-record.ts';
import type { RegisterState } from '../../../src/protocol/register/types.ts';
import type { StallDetector } from '../../../src/protocol/stall-detector.ts';
import type { ResolvedGrant } from '../checks/state.ts';

export type Role = 'locks' | 'service' | 'publisher';

/** One connection as its client knows it, and the line under it. Times are of the broker's clock. */
export interface Line {
  readonly role: Role;
  connection: number | undefined;
  /** When it is dialled again; undefined while it is open or was never needed. */
  dialAt: number | undefined;
  /** Since when nothing gets through, in that direction. */
  upStalledAt: number | undefined;
  downStalledAt: number | undefined;
  lastWriteAt: number;
}

/** A request on the service or publishing connection. Several contenders can share one. */
export interface Request {
  readonly what: 'look' | 'declare' | 'seed' | 'purge' | 'probe' | 'declare-register' | 'write-register';
  readonly shared: boolean;
  /** Whether the process had been in line when it asked. */
  readonly wasInLine?: boolean;
  readonly callers: readonly { readonly contender: number; readonly call: number }[];
  /** Undefined while it waits for a connection. */
  channel: number | undefined;
  /** Of the hold that the register is read for; `call` is the entry's seq then. */
  readonly channelId: number | undefined;
  /** What is published, for a seed, a probe or an entry. */
  readonly payload: { readonly label: string; readonly body: Uint8Array } | undefined;
}

/** A contender's own channel, as the session knows it. */
export interface OwnChannel {
  readonly channelId: number;
  channel: number | undefined;
  state: 'waiting' | 'open' | 'closing';
  /** Barriers that were asked for before the channel was there. */
  barrier: boolean;
}

/**
 * Why a holder may go on believing although the token was taken back. `link`: the broker did it and tells nobody. The
 * others are told, at about the same time as the next holder, or later when the client cannot hear.
 */
export type Excuse = 'link' | 'ended' | 'deleted' | 'destroyed' | 'forgotten' | 'woken';

/** What a contender has been told of its queue, on the world's clock. */
export interface WireBook {
  /** When it learned last that the queue is gone. */
  readonly goneAt: number;
  /** Whether it knows by an answer, since the last declaration or failure, what has become of the queue. */
  readonly knows: boolean;
  /** The first look on its line that showed nothing behind a foreign message. */
  readonly emptyAt: number;
  /** It has shown that it may publish. */
  readonly tried: boolean;
  /** It has purged the queue while it had something of it in hand, then seeded, and then seen one message there. */
  readonly purged: boolean;
  readonly seeded: boolean;
  readonly alone: boolean;
}

/** What a contender is seen from outside, for the checks. Nothing of it is known to the code under test. */
export interface Watched {
  /** When its last `requeue` was sent, and the one that was answered last. */
  sentAt: Instant | undefined;
  provenAt: Instant | undefined;
  /** Hand-out of the last delivery that was read, and of the one that was granted. */
  handOut: number;
  /** Of the last delivery of the lock's queue: what else is given back or acked is the register's. */
  deliveryTag: number;
  /** When the entry that it keeps was delivered, and the tag of that delivery. */
  keptSince: number;
  keptTag: number;
  book: WireBook;
  grantedHandOut: number;
  /** On its own clock: since when it has had what it replaces, or has owed a token after that. */
  replacingSince: number | undefined;
  /** Whether what was read last was a token, live or not. */
  handedToken: boolean;
  /** Number of the token that was read last. */
  read: number;
  /** The last grant of its token when the last `requeue` was sent. */
  rival: ResolvedGrant | undefined;
  /** Number of the token that was read last while waiting, and the highest fence that any caller had by then. */
  token: number;
  /** The delivery tag of a seed in hand that is older than a minute, and that nobody has had. */
  staleTag: number | undefined;
  /** It had never come back, and was older than a minute by the reader's clock. */
  surfaced: boolean;
  floor: bigint;
  fence: bigint | undefined;
  excuse: Excuse | undefined;
  /** When the queue was deleted under it, on the world's clock. */
  unseatedAt: number | undefined;
  /** On its channel there is a consumer that the broker has attached to another queue without a word (3.10). */
  forgotten: boolean;
  /** How many messages that are no tokens it has been handed on its channel. */
  foreignMessages: number;
  /** Place in the queue's line by the order of attaching; undefined while it has none or lost it by no fault of its own. */
  place: number | undefined;
  /** How long it has been valid together with others, in milliseconds. */
  overlapMs: number;
  /** The part of it in which the client could hear what the broker says. */
  hearingMs: number;
}

export interface Contender {
  readonly id: number;
  readonly rules: Rules;
  state: ContenderState;
  register: RegisterState | undefined;
  /** Events that came from inside an effect; undefined while none is dispatched. */
  queued: ClientEvent[] | undefined;
  /** How many times the caller has saved, and the save with which it wants to release. */
  saves: number;
  leavesWith: number | undefined;
  channels: OwnChannel[];
  /** The caller has its lease. */
  granted: boolean;
  /** The caller was told that there is none. */
  refused: boolean;
  /** A try ends by itself at this instant of the monotonic clock. */
  answerBy: number | undefined;
  watched: Watched;
}

export interface Client {
  readonly id: number;
  readonly node: number;
  /** Added to the world's time. */
  monoShift: number;
  wallShift: number;
  /** Since when it runs no instruction. */
  pausedAt: number | undefined;
  suspended: boolean;
  /** When it ran again last. */
  resumedAt: number | undefined;
  pulse: StallDetector | undefined;
  record: NameRecord;
  lines: Record<Role, Line>;
  requests: Request[];
  contenders: Contender[];
  /** How many `acquire` calls the process has made; numbers contenders too. */
  acquires: number;
  /** The highest fence that a caller in this process was given. */
  highestGranted: bigint;
  closing: boolean;
  /** When it read last that the queue is no more, on the world's clock. */
  toldOfEndAt: number;
}

const newLine = (role: Role): Line => ({
  role,
  connection: undefined,
  dialAt: undefined,
  upStalledAt: undefined,
  downStalledAt: undefined,
  lastWriteAt: 0,
});

export function newClient(id: number, node: number, { acquires = 0, highestSeen = 0n } = {}): Client {
  return {
    id,
    node,
    monoShift: 0,
    wallShift: 0,
    pausedAt: undefined,
    suspended: false,
    resumedAt: undefined,
    pulse: undefined,
    record: { ...NEW_RECORD, highestSeen },
    lines: { locks: newLine('locks'), service: newLine('service'), publisher: newLine('publisher') },
    requests: [],
    contenders: [],
    acquires,
    highestGranted: 0n,
    closing: false,
    toldOfEndAt: Number.NEGATIVE_INFINITY,
  };
}

export function cloneClient(client: Client): Client {
  const { lines } = client;
  return {
    ...client,
    lines: {
      locks: { ...lines.locks },
      service: { ...lines.service },
      publisher: { ...lines.publisher },
    },
    requests: client.requests.map((request) => ({ ...request })),
    contenders: client.contenders.map((contender) => ({
      ...contender,
      channels: contender.channels.map((own) => ({ ...own })),
      watched: { ...contender.watched },
    })),
  };
}
