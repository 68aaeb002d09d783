import type { ClientOptions } from '../peers/peer.ts';
import type { HopOrder } from '../peers/rabbitmq/hop.ts';
import type { TapedFrame } from '../peers/rabbitmq/tape.ts';
import type { WireCounts } from '../peers/rabbitmq/wire-log.ts';
import type { Turn } from '../stats.ts';

/** What a worker can be asked; each call has one answer. */
export interface WorkerCalls {
  open(order: OpenOrder): void;
  close(): void;
  /** Until {@link WorkerCalls.endContention}. */
  contend(order: ContendOrder): ContendReport;
  /** How many contenders have been in line at least once, as far as the server told. */
  linedUp(): number;
  endContention(): void;
  /** Takes and gives back a lock, one time after the other. */
  cycle(order: CycleOrder): CycleReport;
  hop(order: HopOrder): Float64Array;
  stopHop(): void;
  /** Takes a lock and keeps it. Resolves with the time of the grant. */
  hold(name: string): number;
  /** Waits for a lock that is held. Resolves when it is placed, or after a moment where nobody tells. */
  queue(name: string): void;
  /** The time of the grant of {@link WorkerCalls.queue}, once there is one, and what became of it. */
  granted(): number;
  /** Gives back what {@link WorkerCalls.hold} or {@link WorkerCalls.queue} got. Resolves with the time of the call. */
  release(): number;
  /** Keeps the frames of all connections until {@link WorkerCalls.stopTape}. */
  startTape(): void;
  stopTape(): readonly TapedFrame[];
  usage(): Usage;
  /** Takes these locks, `atOnce` at a time. */
  take(order: TakeOrder): void;
  /** Waits for these, which somebody holds. */
  wait(names: readonly string[]): void;
}

export interface OpenOrder {
  readonly client: string;
  readonly urls: readonly string[];
  readonly options: ClientOptions;
}

export interface ContendOrder {
  readonly name: string;
  /** The numbers of the contenders in this process. */
  readonly contenders: readonly number[];
  readonly holdMs: number;
  /** Who fails goes on: for runs in which a server dies. */
  readonly stubborn?: boolean;
}

export interface ContendReport {
  readonly turns: readonly Turn[];
  readonly wire: WireCounts | undefined;
  readonly givenUp: number;
  readonly failures: readonly string[];
}

export interface CycleOrder {
  /** The lock; with `fresh`, what the names begin with. */
  readonly name: string;
  readonly fresh: boolean;
  readonly untilMs: number;
  /** So many, even if there is no time left. */
  readonly atLeast?: number;
}

export interface CycleReport {
  /** Milliseconds of each. */
  readonly acquires: Float64Array;
  readonly releases: Float64Array;
  readonly wire: WireCounts | undefined;
}

export interface TakeOrder {
  readonly names: readonly string[];
  /** Release them at once: the locks are then known to the server, and idle. */
  readonly release: boolean;
}

export interface Usage {
  readonly rssBytes: number;
  /** After a garbage collection: heap and what hangs on it. */
  readonly heapBytes: number;
  /** User and system, of this process so far: before the collection, and after it. */
  readonly cpuBeforeMs: number;
  readonly cpuMs: number;
}

export interface Call {
  readonly id: number;
  readonly method: keyof WorkerCalls;
  readonly argument: unknown;
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };
