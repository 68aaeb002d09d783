/** What the nemesis is going to do, as a pure function of its seed. Whom it meets in the moment of a strike is not. */
import { randomFrom } from '../fleet/index.ts';
import type { Phase } from '../history.ts';
import type { Site } from '../site/types.ts';
import type { Turn } from '../wire/conversation.ts';
import type { Fault } from './fault.ts';
import { faultsOf } from './faults/index.ts';
import { CLUSTER_UPGRADE } from './faults/nodes.ts';

/** One thing to wait for before striking: a contender whose frame is at the begin or the end of the phase. */
export interface Aim {
  readonly phase: Phase;
  readonly moment: Turn['moment'];
  /** For minting only. */
  readonly step?: Turn['step'];
}

export interface Step {
  /** From 1. */
  readonly id: number;
  readonly fault: Fault;
  /** Whether it waits until every earlier fault is over. */
  readonly alone: boolean;
  /** Calm before it, in milliseconds: after the end of the earlier faults, or after the last strike if not alone. */
  readonly gapMs: number;
  /** The first is what it is meant for; the others are taken if they come in time. */
  readonly aims: readonly Aim[];
  /** Used as far as the aims leave a choice. */
  readonly slot: number;
  readonly node: number;
  readonly lock: string;
  readonly allLocks: boolean;
  readonly oneLink: boolean;
  readonly lastsMs: number;
}

export interface PlanOptions {
  readonly seed: number;
  readonly kind: Site['kind'];
  readonly locks: readonly string[];
  readonly slots: number;
  readonly nodes: number;
  /** The number of the step at which the cluster is upgraded; never by default. */
  readonly upgradeAt?: number | undefined;
}

/** The phases that a strike is aimed at, and that must all be met by each fault. */
export const AIMED: readonly Phase[] = ['holding', 'releasing', 'receiving', 'verifying', 'minting'];

/** Long enough for a return of the token of a lock that is in use. */
const DESTROY_MS = 400;

/** Steps without end, each fault as often as its weight says. */
export function* plan({ seed, kind, locks, slots, nodes, upgradeAt }: PlanOptions): Generator<Step, never> {
  const random = randomFrom(seed);
  const between = ([from, to]: readonly [number, number]): number =>
    Math.round(from + (to - from) * random());
  const below = (limit: number): number => Math.floor(limit * random());
  const shuffled = <T>(items: readonly T[]): T[] =>
    items
      .map((item) => ({ item, at: random() }))
      .sort((one, other) => one.at - other.at)
      .map(({ item }) => item);
  const phases = new Map<string, Phase[]>();
  const due = new Map(
    faultsOf(kind)
      .filter(({ weight }) => weight > 0)
      .map((fault) => [fault, random() * fault.weight]),
  );

  /** Each phase once before any comes again. */
  const nextPhase = ({ name }: Fault): Phase => {
    const left = phases.get(name) ?? [];
    const phase = left.pop() ?? 'holding';
    if (left.length === 0) phases.set(name, shuffled(AIMED));
    return phase;
  };
  const aimAt = (phase: Phase, purging: number): Aim => {
    const isStretch = phase === 'holding' || phase === 'receiving';
    const moment = isStretch || random() < 0.5 ? 'begins' : 'ends';
    if (phase !== 'minting') return { phase, moment };
    const step = random() < purging ? 'purge' : random() < 0.5 ? 'declare' : 'seed';
    return { phase, moment, step };
  };

  const destroyer = [...due.keys()].find(({ name }) => name === 'policy-delivery-limit');
  if (destroyer === undefined) throw new Error('no fault destroys tokens');
  for (const { name } of due.keys()) phases.set(name, shuffled(AIMED));
  for (let id = 1; ; id += 1) {
    for (const [fault, credit] of due) due.set(fault, credit + fault.weight);
    const [drawn] = [...due].reduce((most, one) => (one[1] > most[1] ? one : most));
    const total = [...due.keys()].reduce((sum, { weight }) => sum + weight, 0);
    due.set(drawn, (due.get(drawn) ?? 0) - total);
    const fault = id === upgradeAt ? CLUSTER_UPGRADE : drawn;
    const first = nextPhase(fault);
    const isLocal = fault.reach === 'worker';
    const allLocks = random() < 0.6;
    const hitsOne = isLocal || (fault.reach === 'locks' && !allLocks);
    const others = hitsOne ? [] : shuffled(AIMED.filter((phase) => phase !== first));
    const alone = isLocal ? random() < 0.4 : true;
    const step: Step = {
      id,
      fault,
      alone,
      gapMs: alone ? between([1_000, 2_500]) : between([300, 1_500]),
      aims: [aimAt(first, 0.3), ...others.map((phase) => aimAt(phase, 0))],
      slot: below(slots),
      node: below(nodes),
      lock: locks[below(locks.length)] ?? '',
      allLocks,
      oneLink: random() < 0.4,
      lastsMs: between(fault.lastsMs),
    };
    if (step.aims[0]?.step === 'purge') {
      // Nobody purges a lock whose token lives.
      yield { ...step, fault: destroyer, aims: [], allLocks: false, lastsMs: DESTROY_MS };
      id += 1;
      yield { ...step, id, allLocks: false, alone: false, gapMs: 0 };
    } else {
      yield step;
    }
  }
}

/** One line for a person. */
export function describe({
  id,
  fault,
  alone,
  gapMs,
  aims,
  slot,
  node,
  lock,
  allLocks,
  lastsMs,
}: Step): string {
  const [first] = aims;
  const aim = first === undefined ? '' : `${first.phase} ${first.step ?? ''} ${first.moment}`;
  const whom: Record<Fault['reach'], string> = {
    worker: `worker ${slot}`,
    locks: allLocks ? 'all locks' : lock,
    node: `node ${node + 1}`,
    leader: `leader of ${lock}`,
    site: `node ${node + 1}`,
  };
  const when = alone ? `${gapMs} ms after the last is over` : `${gapMs} ms after the last strike`;
  return `${String(id).padStart(4)}  ${fault.name.padEnd(22)} ${whom[fault.reach].padEnd(14)} at ${aim.padEnd(24)} for ${lastsMs} ms, ${when}`;
}
