import { MessageChannel } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { InvalidOptionsError } from '../errors.ts';
import type { Instant } from '../protocol/instant.ts';
import { show } from '../validation.ts';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to move. Pass it to {@link TestBroker} to test leases of hours in milliseconds. */
export class ManualClock implements Clock {
  #now: Instant;
  readonly #timers = new Set<Timer>();

  /** @param wallMs what the wall clock shows at first, epoch milliseconds. Default: 2030-01-01. */
  constructor(wallMs: number = Date.UTC(2030, 0, 1)) {
    this.#now = { mono: 0, wall: wallMs };
  }

  now(): Instant {
    return this.#now;
  }

  setTimer(atMono: number, callback: () => void): () => void {
    const timer = { at: atMono, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves both clocks on by `ms` and runs the timers that come due, in order, letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    checkMs('advance', ms, 0);
    const target = this.#now.mono + ms;
    await settle();
    for (let timer = this.#nextBy(target); timer !== undefined; timer = this.#nextBy(target)) {
      this.#timers.delete(timer);
      this.#move(Math.max(0, timer.at - this.#now.mono));
      timer.callback();
      await settle();
    }
    this.#move(target - this.#now.mono);
    await settle();
  }

  /** Moves both clocks on without running a timer: the process stood still. The timers that are due run with the next `advance`. */
  stall(ms: number): void {
    checkMs('stall', ms, 0);
    this.#move(ms);
  }

  /** Sets the wall clock alone, forward or (negative) back: NTP, an operator, or a machine that was suspended. */
  stepWall(ms: number): void {
    checkMs('stepWall', ms);
    this.#now = { mono: this.#now.mono, wall: this.#now.wall + ms };
  }

  #move(ms: number): void {
    this.#now = { mono: this.#now.mono + ms, wall: this.#now.wall + ms };
  }

  #nextBy(target: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= target && (next === undefined || timer.at < next.at)) next = timer;
    }
    return next;
  }
}

/** Not setImmediate: fake timers of Vitest and Jest put one that stands still in its place, in node:timers too. */
const { port1: bell, port2: rope } = new MessageChannel();
const settling: (() => void)[] = [];
bell.on('message', () => {
  settling.shift()?.();
  if (settling.length === 0) bell.unref();
});
bell.unref();

function checkMs(call: string, ms: unknown, min?: number): void {
  if (Number.isFinite(ms) && (min === undefined || (ms as number) >= min)) return;
  const rule = min === undefined ? 'a finite number of milliseconds' : `${min} or more milliseconds, finite`;
  throw new InvalidOptionsError([`${call}: ms must be ${rule}, got ${show(ms)}`]);
}

/** One turn of the event loop: every promise reaction that is due has run. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    settling.push(resolve);
    bell.ref();
    rope.postMessage(undefined);
  });
}
