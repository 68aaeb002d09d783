import type { EventEmitter } from 'node:events';
import { tell } from '../callbacks.ts';
import { isBatonError, LeaseLostError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { ScheduleEvents } from './schedule.ts';

/** What keeps one schedule from its work: logged each time, and told once until it changes. */
export class Trouble {
  readonly #job: string;
  readonly #logger: Logger;
  readonly #schedule: EventEmitter<ScheduleEvents>;
  #obstacle: string | undefined;
  #aheadUpTo: number | undefined;
  #hasWarned = false;

  constructor(job: string, logger: Logger, schedule: EventEmitter<ScheduleEvents>) {
    this.#job = job;
    this.#logger = logger;
    this.#schedule = schedule;
  }

  /** The lock cannot be used, or a tick not recorded. Of a run whose lock was lost `failed` has told. */
  error(error: unknown): void {
    if (error instanceof LeaseLostError) return;
    this.#logger.error({ job: this.#job, err: error }, 'the schedule cannot work; it tries again');
    const kind = isBatonError(error) ? error.code : String(error);
    if (kind === this.#obstacle) return;
    this.#obstacle = kind;
    if (this.#isHeard('error')) tell(this.#schedule, 'error', error);
    else this.#warn(`cannot work, and tries again: ${error instanceof Error ? error.message : error}`);
  }

  /** `aheadMs` undefined: it is not ahead. */
  ahead(done: number, aheadMs: number | undefined): void {
    const upTo = aheadMs === undefined ? undefined : done;
    if (upTo === this.#aheadUpTo) return;
    this.#aheadUpTo = upTo;
    if (aheadMs === undefined) return;
    const says = 'the job is done ahead of this clock: nothing runs until then';
    this.#logger.warn({ job: this.#job, done, aheadMs }, says);
    if (this.#isHeard('ahead')) tell(this.#schedule, 'ahead', { doneUpTo: new Date(done), aheadMs });
    else {
      const by = `${Math.floor(aheadMs / 3_600_000)} h ahead of this machine's clock`;
      this.#warn(`is recorded as done ${by}, and nothing runs until then: see Clocks in docs/jobs.md`);
    }
  }

  /** It has done its work. */
  over(): void {
    this.#obstacle = undefined;
  }

  #isHeard(event: 'error' | 'ahead'): boolean {
    return this.#schedule.listenerCount(event) > 0;
  }

  /** A job that does not run must not go unnoticed for want of a listener: the one place where the library warns. */
  #warn(says: string): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const warning = `schedule ${JSON.stringify(this.#job)} ${says}. Listen to its events 'error' and 'ahead'`;
    process.emitWarning(warning, { type: 'BatonWarning', code: 'BATON_SCHEDULE' });
  }
}
