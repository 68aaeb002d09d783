import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import type { Case, Scenario } from './scenarios/scenario.ts';

/** One case of one run, and who takes part in it. */
export interface Stage {
  readonly run: number;
  readonly scenario: Scenario;
  readonly case: Case;
  readonly peers: readonly Peer[];
}

/** In the order of measuring: run, scenario, case. */
export function stagesOf({ runs, scenarios, cases, quick, peers }: Options): Stage[] {
  return Array.from({ length: runs }, (_, index) => index + 1).flatMap((run) =>
    scenarios.flatMap((scenario) =>
      scenario.cases
        .filter((it) => cases.includes(it.id) && !(quick && it.slow))
        .map((it) => ({
          ...{ run, scenario, case: it },
          peers: peers.filter(
            (peer) => (peer.scenarios?.includes(scenario.id) ?? true) && !scenario.leavesOut?.(peer, it),
          ),
        })),
    ),
  );
}

/** What is left: a case takes what it took in the run before, and in the first run what it is thought to take. */
export class Progress {
  #left: readonly Stage[];
  readonly #tookS = new Map<Case, number>();

  constructor(stages: readonly Stage[]) {
    this.#left = stages;
  }

  done(stage: Stage, tookS: number): void {
    this.#tookS.set(stage.case, tookS);
    this.#left = this.#left.filter((each) => each !== stage);
  }

  /** In seconds. */
  left(): number {
    return this.#left.reduce((sum, stage) => sum + (this.#tookS.get(stage.case) ?? aboutS(stage)), 0);
  }
}

function aboutS({ scenario, case: it, peers }: Stage): number {
  const sliceS = it.aboutS ?? scenario.aboutS;
  return scenario.together ? sliceS : sliceS * peers.length;
}
