import { soon } from '../callbacks.ts';
import type { Clock } from '../clock.ts';

interface Frame {
  readonly dueMono: number;
  readonly arrive: () => void;
}

/**
 * One direction of a connection: frames arrive in the order in which they were sent, one at a time, and never
 * from within the call that sent them. Without a delay they arrive in microtasks, so tests need no timers.
 */
export class Line {
  readonly #clock: Clock;
  #frames: Frame[] = [];
  #delayMs: number;
  #frozen = false;
  #sealed = false;
  #waking = false;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  send(arrive: () => void): void {
    if (this.#sealed) return;
    // TCP never reorders: a frame sent after the delay was lowered still waits for those ahead of it.
    this.#frames.push({ dueMono: this.#clock.now().mono + this.#delayMs, arrive });
    this.#wakeForNext();
  }

  /** Holds for frames sent from now on. */
  delay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    this.#wakeForNext();
  }

  /** Takes no further frames; what was sent still arrives. */
  seal(): void {
    this.#sealed = true;
  }

  /** Takes no further frames and loses those under way. */
  cut(): void {
    this.#sealed = true;
    this.#frames = [];
    this.#cancelTimer?.();
  }

  #wakeForNext(): void {
    const next = this.#frames[0];
    if (next === undefined || this.#frozen || this.#waking) return;
    this.#waking = true;
    if (next.dueMono <= this.#clock.now().mono) soon(this.#wake);
    else this.#cancelTimer = this.#clock.setTimer(next.dueMono, this.#wake);
  }

  readonly #wake = (): void => {
    this.#waking = false;
    this.#cancelTimer = undefined;
    const next = this.#frames[0];
    if (next === undefined || this.#frozen) return;
    try {
      // A system timer may fire a fraction of a millisecond early.
      if (next.dueMono > this.#clock.now().mono) return;
      this.#frames.shift();
      next.arrive();
    } finally {
      // A caller that awaits this frame's answer runs before the next frame; a listener that throws stops nothing.
      this.#wakeForNext();
    }
  };
}
