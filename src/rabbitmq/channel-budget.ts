import { performance } from 'node:perf_hooks';
import type { BatonError } from '../errors.ts';

/**
 * The broker counts a channel for a moment after its close-ok (seen for up to 5 ms on 3.10.8 to 4.3.6, on a loaded
 * machine; nothing bounds it).
 */
const LINGER_MS = 250;
/** Channels below what is proven that are left free for the same reason, as long as no limit is known. */
const MARGIN = 4;
/** One for a lock, one for looks, one for publishing. */
const FEWEST_OF_USE = 3;
/** Opened without having been tried, as long as nobody is in line. */
const FIRST = 4;
const FEWEST_TRIED = 16;
const MOST_TRIED = 256;
/** How long the channels of a trial are given to be forgotten, where no limit is in sight. */
const PAUSE_MS = 20;
/** How long a call waits for a trial. One takes as long as an answer, and {@link PAUSE_MS} or {@link LINGER_MS}. */
const TRIAL_MS = 1_000;
/** When a limit that was met is tried again, while somebody waits: somebody may have raised it, or left. */
const TRY_AGAIN_MS = 60_000;
const TRY_AGAIN_AT_LAST_MS = 900_000;
const TRY_SHARE_AGAIN_MS = 10_000;

/** What lock connections want to know before they open another channel. */
export interface Need {
  /** Somebody is in line on the connection, or holds a lock, and would lose that with it. */
  readonly isAtStake: boolean;
}

/** A connection to try channels on. */
export interface TrialConnection {
  readonly freeChannels: number;
  openChannel(): Promise<{ close(): void }>;
}

/**
 * How many channels this session may have, on all its connections. RabbitMQ ends the whole connection on which a user
 * opens one channel more than its `max-channels` (530; the limit is over all connections of the user, and nothing tells
 * it in advance). So a lock connection with leases opens no more channels than were open at a time before. More than
 * that is tried first on the service connection, which has no leases, in steps, mostly ahead of need.
 */
export class ChannelBudget {
  /** Called when there may be more room, or less. */
  onChange: () => void = () => {};
  /** The connection to try on. */
  trialConnection: () => TrialConnection | undefined = () => undefined;
  /** Channels that calls will want besides those that are open. */
  reserve: () => number = () => 0;
  #used = 0;
  /** Of these, those without an answer yet. */
  #unanswered = 0;
  #sure = 0;
  #proven = 0;
  #cap = Number.POSITIVE_INFINITY;
  #limit: BatonError | undefined;
  #trial: Promise<void> | undefined;
  /** Somebody was refused a channel, and nobody has got all they wanted since. */
  #isShort = false;
  #released: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;
  #retryMs = TRY_AGAIN_MS;
  #retryAt = Number.POSITIVE_INFINITY;

  /** The limit that was met, as an error; undefined while none is known. */
  get limit(): BatonError | undefined {
    return this.#limit;
  }

  /** The limit, while it keeps somebody from a channel. */
  get obstacle(): BatonError | undefined {
    return this.#isShort ? this.#limit : undefined;
  }

  /** How many more channels a lock connection may open now. */
  room({ isAtStake }: Need): number {
    // The channels of a trial may be the last ones.
    if (this.#trial !== undefined) return 0;
    if (this.#limit === undefined) return Math.max(this.#proven - MARGIN, isAtStake ? 0 : FIRST) - this.#used;
    return Math.min(this.#usable, this.#proven) - this.reserve() - this.#used - this.#lingering();
  }

  /**
   * Resolves when no trial is under way: beside one, the channel of a call could be the one that is refused. Not later than
   * after {@link TRIAL_MS}, because the line of the trial may be dead, and that of the call is another one.
   */
  async settled(): Promise<void> {
    const until = performance.now() + TRIAL_MS;
    while (this.#trial !== undefined && performance.now() < until) {
      let timer: NodeJS.Timeout | undefined;
      const over = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, until - performance.now()).unref();
      });
      await Promise.race([this.#trial, over]);
      clearTimeout(timer);
    }
  }

  /** So many wait for a channel that there was no room for. */
  miss(waiting: number): void {
    this.#isShort = true;
    if (performance.now() >= this.#retryAt) this.#forget();
    if (this.#lingering() > 0) this.#wakeAt(performance.now() + LINGER_MS);
    else if (this.#proven < this.#usable) this.#prove(waiting);
    else this.#wakeAt(this.#retryAt);
  }

  /** Nobody waits. */
  suffice(): void {
    this.#isShort = false;
  }

  /** Tries a few more channels before anybody needs them. */
  lookAhead(): void {
    if (this.#limit === undefined && this.#proven - MARGIN - this.#used < MARGIN) this.#prove(0);
  }

  /** A channel is being opened; {@link opened} or {@link failed} follows. */
  opening(): void {
    this.#used += 1;
    this.#unanswered += 1;
  }

  opened(): void {
    this.#unanswered -= 1;
    this.#sure += 1;
    if (this.#trial === undefined) this.#proven = Math.max(this.#proven, this.#sure);
  }

  /** It was not opened, as far as is known here: the answer may have been on its way. */
  failed(): void {
    this.#unanswered -= 1;
    this.released();
  }

  /** Its close was sent: the broker may not count it any more. */
  closing(): void {
    this.#sure -= 1;
  }

  released(): void {
    this.#used -= 1;
    if (this.#limit !== undefined) this.#released.push(performance.now());
  }

  /** The broker ended a connection because there were `most` channels of the user. */
  met(error: BatonError, most: number): void {
    // What was open then is the share of this process, if one channel was opened after the other. Else some answers may
    // be on their way, and the share has to be found out.
    const share = this.#trial !== undefined && this.#limit !== undefined ? this.#sure : most;
    this.#cap = Math.min(most, Math.max(FEWEST_OF_USE, share));
    this.#proven = Math.min(this.#proven, this.#cap);
    this.#limit = error;
    // A share says less than the limit: others come and go.
    this.#retryAt = performance.now() + (share < most ? TRY_SHARE_AGAIN_MS : this.#retryMs);
    this.#retryMs = Math.min(TRY_AGAIN_AT_LAST_MS, this.#retryMs * 2);
    queueMicrotask(() => this.onChange());
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }

  /** A tenth less than the limit, if that leaves something to use: see {@link LINGER_MS}. */
  get #usable(): number {
    return this.#cap > FEWEST_OF_USE ? Math.floor(this.#cap * 0.9) : this.#cap;
  }

  #forget(): void {
    this.#limit = undefined;
    this.#cap = Number.POSITIVE_INFINITY;
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#released = [];
  }

  #lingering(): number {
    const since = performance.now() - LINGER_MS;
    while ((this.#released[0] ?? since) < since) this.#released.shift();
    return this.#released.length;
  }

  #prove(waiting: number): void {
    const connection = this.trialConnection();
    if (this.#trial !== undefined || connection === undefined) return;
    // A trial must not take the channel away that a lock connection is being refused for.
    if (this.#unanswered > 0) {
      this.#wakeAt(performance.now() + PAUSE_MS);
      return;
    }
    const step = Math.min(MOST_TRIED, Math.max(FEWEST_TRIED, waiting + MARGIN, this.#used));
    const most = Math.min(step, this.#usable - this.#used, connection.freeChannels - 1);
    if (connection.freeChannels <= 2 * MARGIN) {
      // A connection with so few channels can show nothing: go on without.
      this.#proven = Number.POSITIVE_INFINITY;
      queueMicrotask(() => this.onChange());
    }
    // All that may be used is in use, and nobody needs to give any of it back.
    if (most <= 0) this.#wakeAt(this.#retryAt);
    if (most <= 0 || this.#proven === Number.POSITIVE_INFINITY) return;
    this.#trial = this.#try(connection, most);
  }

  /** Once a limit is known, one after the other, so that it shows how many there were when one is refused. */
  async #try(connection: TrialConnection, most: number): Promise<void> {
    const channels: { close(): void }[] = [];
    let proven = this.#proven;
    const tryOne = async () => {
      channels.push(await connection.openChannel());
      proven = Math.max(proven, this.#sure);
    };
    const tries = Array.from({ length: most }, () => tryOne);
    try {
      if (this.#limit === undefined) await Promise.all(tries.map((it) => it()));
      else for (const it of tries) await it();
    } catch {
      // The connection has ended: because of the limit, which it has told, or otherwise, and then it is tried again.
    }
    for (const channel of channels) channel.close();
    const pauseMs = this.#limit === undefined ? PAUSE_MS : LINGER_MS;
    await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
    this.#proven = Math.max(this.#proven, Math.min(proven, this.#cap));
    this.#trial = undefined;
    this.onChange();
  }

  #wakeAt(at: number): void {
    if (at >= this.#wakesAt) return;
    clearTimeout(this.#timer);
    this.#wakesAt = at;
    const wake = () => {
      this.#wakesAt = Number.POSITIVE_INFINITY;
      this.onChange();
    };
    this.#timer = setTimeout(wake, Math.max(1, at - performance.now())).unref();
  }
}
