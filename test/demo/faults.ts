import type { DemoEvent } from './events.ts';
import type { Fleet } from './fleet.ts';
import { FROZEN_LIMIT_MS } from './times.ts';
import { viewOf } from './view.ts';

/** Jobs done before the fault is looked for: late enough to see the fleet in rhythm, early enough to see it go on. */
const FREEZE_AFTER_JOBS = 8;
const KILL_AFTER_JOBS = 24;

type Controls = Pick<Fleet, 'events' | 'freeze' | 'continue' | 'kill' | 'tell'>;

type Phase = 'before-freeze' | 'frozen' | 'waking' | 'before-kill' | 'over';

/**
 * Freezes one holder, wakes it when somebody else has taken over, and later kills another. Struck is who has just
 * begun to work while somebody waits: the pauses of its whole job are still ahead, and the hand-over can be timed.
 */
export class Faults {
  readonly #fleet: () => Controls;
  #phase: Phase = 'before-freeze';
  #frozen: DemoEvent | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(fleet: () => Controls) {
    this.#fleet = fleet;
  }

  /** True while a worker stands still or has yet to show what it does on waking. */
  isBusy(): boolean {
    return this.#phase === 'frozen' || this.#phase === 'waking';
  }

  onEvent(event: DemoEvent): void {
    const fleet = this.#fleet();
    const { type, worker, resource } = event;
    switch (this.#phase) {
      case 'before-freeze':
        if (!this.#isTarget(event, FREEZE_AFTER_JOBS)) return;
        this.#phase = 'frozen';
        this.#timer = setTimeout(() => this.#wake(), FROZEN_LIMIT_MS);
        fleet.freeze(worker);
        return;
      case 'frozen':
        if (type === 'frozen') this.#frozen = event;
        // In the middle of its successor's work, where a late write or release would do the most harm.
        else if (type === 'working' && resource === this.#frozen?.resource) this.#wake();
        return;
      case 'waking':
        if (worker !== this.#frozen?.worker) return;
        if (type === 'lost') fleet.tell(worker, { type: 'late-write' });
        else if (type !== 'continued') this.#phase = 'before-kill';
        return;
      case 'before-kill':
        if (worker === this.#frozen?.worker || !this.#isTarget(event, KILL_AFTER_JOBS)) return;
        this.#phase = 'over';
        fleet.kill(worker);
    }
  }

  #isTarget({ type, resource }: DemoEvent, afterJobs: number): boolean {
    if (type !== 'working') return false;
    const { done, resources } = viewOf(this.#fleet().events);
    return done >= afterJobs && (resources.get(resource)?.waiters.length ?? 0) > 0;
  }

  #wake(): void {
    if (this.#phase !== 'frozen' || this.#frozen === undefined) return;
    clearTimeout(this.#timer);
    this.#phase = 'waking';
    this.#fleet().continue(this.#frozen);
  }
}
