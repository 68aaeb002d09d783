/** One exact text of a file of the repository, and what takes its place. */
export interface Edit {
  readonly file: string;
  /** Must occur exactly once, so that a change of the product cannot quietly disarm a mutant. */
  readonly find: string;
  readonly replace: string;
}

/** A case of the contract, run by one of its harnesses. */
export interface NamedCase {
  readonly harness: keyof typeof HARNESSES;
  readonly title: string;
}

/** The checks of the simulator, in the worlds whose names begin so; in all of them when none is named. */
export interface InSimulation {
  readonly worlds: string | undefined;
}

/** A rule of the product, the edits that remove it, and what must notice that. */
export interface Mutant {
  readonly name: string;
  /** What would go wrong in production; the check of the simulator says it of itself. */
  readonly why?: string;
  /** As numbered in docs/protocol.md. */
  readonly trap?: number;
  readonly edits: readonly Edit[];
  readonly caughtBy: NamedCase | InSimulation;
}

export type ContractMutant = Mutant & { readonly caughtBy: NamedCase };
export type SimulationMutant = Mutant & { readonly caughtBy: InSimulation };

/** The harnesses of the contract by the file that runs them; the name is what its tests begin with. */
export const HARNESSES = {
  memory: { file: 'test/contract/memory.test.ts', name: 'in memory' },
  rabbitmq: { file: 'test/contract/rabbitmq.test.ts', name: 'RabbitMQ' },
  proxied: { file: 'test/contract/proxied.test.ts', name: 'RabbitMQ behind a proxy' },
  /** Below 4.3. */
  replacing: { file: 'test/integration/alone/replacing.test.ts', name: 'a release that replaces the token' },
} as const;

/** The title of the contract's case about a foreign message of this kind. */
export const behindTheToken = (kind: string): string =>
  `${kind} behind the token is never granted, and after a purge fences still rise`;
