import type { Peer, Server } from '../peers/peer.ts';
import type { Crew } from '../workers/crew.ts';

/** Named numbers. NaN is: not to be had. */
export type Figures = Readonly<Record<string, number>>;

/** A row of a scenario's table: one setting, measured for each peer. */
export interface Case {
  readonly id: string;
  readonly title: string;
  /** Left out by `--quick`. */
  readonly slow?: boolean;
  /** In the place of the scenario's. */
  readonly aboutS?: number;
}

/** What a slice gets: one peer, one case, and the machine to itself. */
export interface Slice<C extends Case = Case> {
  readonly peer: Peer;
  readonly crew: Crew;
  /** Further processes, for this slice only: to be stopped by who asks for them. */
  readonly ownCrew: () => Crew;
  readonly server: Server;
  readonly case: C;
  /** A smoke test: a tenth of everything is enough. */
  readonly quick: boolean;
  /** How long to measure. */
  readonly ms: number;
  /** A name nobody has used. */
  readonly lock: string;
  readonly log: (line: string) => void;
}

export interface Scenario {
  readonly id: string;
  readonly letter: string;
  readonly title: string;
  readonly cases: readonly Case[];
  /** What a slice takes at the default length, in seconds, and if all are measured together the case: for estimates. */
  readonly aboutS: number;
  /** Peers whose figures would be those of another one; none by default. */
  readonly leavesOut?: (peer: Peer, it: Case) => boolean;
  /** All peers are measured at the same time, because most of it is waiting. */
  readonly together?: boolean;
  /**
   * Measures. A map has the figures of each part of what was measured, by its name.
   * @throws RuleSkippedError
   */
  measure(slice: Slice): Promise<Figures | Map<string, Figures>>;
}

/** A figure that was had by leaving out a rule is none. */
export class RuleSkippedError extends Error {
  constructor(peer: Peer, it: Case, sentences: readonly string[]) {
    super(`${peer.id}, ${it.title}: a rule was skipped.\n${sentences.map((each) => `  ${each}`).join('\n')}`);
    this.name = 'RuleSkippedError';
  }
}
