import { setTimeout as pause } from 'node:timers/promises';
import type { Journal } from '../fleet/index.ts';
import type { HistoryEventOf } from '../history.ts';
import { aim } from './aiming.ts';
import { type Fault, type Field, type Heal, mend, type Target } from './fault.ts';
import type { Step } from './plan.ts';
import { hits, type Scope } from './reach.ts';

export interface NemesisOptions {
  readonly field: Field;
  readonly journal: Journal;
  /** Called with each strike, once the fault is at work. */
  readonly onStrike: (strike: Pick<HistoryEventOf<'struck'>, 'fault' | 'aim' | 'hit'>) => void;
  /** A strike or a heal that did not do what it says: the run proves nothing where there are such. */
  readonly onProblem: (what: string) => void;
}

interface Wound {
  readonly over: Promise<void>;
  readonly isLocal: boolean;
}

const HEAL_ATTEMPTS = 3;

const canLoseNode = ({ reach }: Fault): boolean => reach !== 'worker' && reach !== 'locks';

/** Strikes step by step, and ends every fault that it began. */
export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #wounds = new Set<Wound>();
  /** Workers that stand still or are cut off: not to be struck again meanwhile. */
  readonly #busy = new Set<number>();
  /** What an operator does when a node is back. Strikes at locks and workers go on meanwhile, others wait for it. */
  #mending: Promise<unknown> = Promise.resolve();

  constructor(options: NemesisOptions) {
    this.#options = options;
  }

  /** Goes on until the signal aborts; then it waits until every fault is over. */
  async run(steps: Iterable<Step>, signal: AbortSignal): Promise<void> {
    for (const step of steps) {
      const local = step.fault.reach === 'worker';
      const earlier = [...this.#wounds].filter(({ isLocal }) => step.alone || (!local && !isLocal));
      await Promise.all(earlier.map(({ over }) => over));
      if (canLoseNode(step.fault)) await this.#mending;
      await pause(step.gapMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
      await this.#strike(step, signal).catch((error: unknown) => this.#problem(step, 'strike', error));
    }
    await Promise.all([...this.#wounds].map(({ over }) => over));
    await this.#mending;
  }

  async #strike(step: Step, signal: AbortSignal): Promise<void> {
    const { field, journal, onStrike } = this.#options;
    const { fault, id } = step;
    const { caught, scope: around } = await aim(field, step, this.#busy, signal);
    const first = caught[0];
    const isLocal = fault.reach === 'worker';
    const slot = isLocal ? (first?.slot ?? this.#free(step.slot)) : step.slot;
    const scope: Scope = { ...around, slot };
    const { node, locks } = scope;
    const oneLink = step.oneLink ? first?.link : undefined;
    const target: Target = { slot, node, locks, lastsMs: step.lastsMs, oneLink };
    const about = { id, fault: fault.name };
    const hit = hits(field, scope, caught);
    let heal: Heal | undefined;
    const kept = isLocal ? fault.keeps : undefined;
    try {
      const aimed = caught.find(({ phase }) => phase === step.aims[0]?.phase)?.phase;
      const only = fault.reach === 'locks' ? { locks: [...locks] } : {};
      journal.write({ type: 'struck', ...about, ...(aimed && { aim: aimed }), hit, ...only });
      heal = await fault.strike(field, target);
      onStrike({ fault: fault.name, aim: aimed, hit });
    } finally {
      for (const one of caught) one.letGo(one.slot === slot ? kept : undefined);
    }
    if (heal === undefined) this.#over(step);
    else this.#tend(step, slot, heal);
  }

  #tend(step: Step, slot: number, heal: Heal): void {
    const isLocal = step.fault.reach === 'worker';
    if (isLocal) this.#busy.add(slot);
    const over = this.#heal(step, heal).finally(() => {
      this.#wounds.delete(wound);
      if (isLocal) this.#busy.delete(slot);
    });
    const wound: Wound = { over, isLocal };
    this.#wounds.add(wound);
  }

  async #heal(step: Step, heal: Heal): Promise<void> {
    await pause(step.lastsMs);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await heal();
        break;
      } catch (error) {
        this.#problem(step, `end, attempt ${attempt}`, error);
        if (attempt === HEAL_ATTEMPTS) break;
        await pause(1_000);
      }
    }
    this.#over(step);
  }

  #over(step: Step): void {
    const { journal, field } = this.#options;
    journal.write({ type: 'healed', id: step.id, fault: step.fault.name });
    if (field.site.kind === 'single' || !canLoseNode(step.fault)) return;
    this.#mending = this.#mending
      .then(() => mend(field))
      .catch((error) => this.#problem(step, 'mend', error));
  }

  #free(slot: number): number {
    const { slots } = this.#options.field.wire;
    for (let offset = 0; offset < slots; offset += 1) {
      if (!this.#busy.has((slot + offset) % slots)) return (slot + offset) % slots;
    }
    return slot;
  }

  #problem({ id, fault }: Step, what: string, error: unknown): void {
    this.#options.onProblem(
      `${what} of ${fault.name} (${id}): ${error instanceof Error ? error.message : error}`,
    );
  }
}
