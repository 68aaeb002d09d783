import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ConnectOptions, Coordinator } from '../../src/index.ts';
import type { LockAddress } from '../../src/testing/index.ts';
import type { BrokerControl } from '../support/broker/index.ts';
import type { Program } from '../support/processes.ts';
import type { FaultProxy } from '../support/proxy.ts';

/** What a harness can do beyond connecting; a case says what it needs. */
export type Capability =
  /** Freeze, thaw and break one coordinator's line. */
  | 'line'
  /** Count and read the frames on the wire. */
  | 'frames'
  /** Contenders in processes of their own. */
  | 'processes'
  /** Raise and clear a memory alarm. */
  | 'alarm'
  /** Restart the broker. */
  | 'restart'
  /** Nacks are counted apart from other returns: from 4.3 on. */
  | 'counts-apart'
  /** Take the token back from its holder untold, or destroy it at its next return. */
  | 'take-back'
  /** Users, permissions, virtual hosts, policies, other kinds of queues. */
  | 'administration';

/** Direct access to a queue of the lock, past the product. */
export interface QueueAccess {
  put(body: string | Uint8Array, options?: { returns?: number }): Promise<void>;
  purge(): Promise<void>;
  remove(): Promise<void>;
  /** Deletes it and declares it again, a round trip later. On a real broker. */
  replace(): Promise<void>;
  ready(): Promise<number>;
  /** Whether this lock, by default the scene's, has a queue. */
  exists(lock?: LockAddress): Promise<boolean>;
}

export interface Line {
  freeze(): void;
  thaw(): void;
  reset(): void;
}

/** One test's world. Everything opened through it is closed when the test ends. */
export interface Scene {
  /** Registers what is to be done when the case has ended; last in, first out. */
  onEnd(cleanup: () => unknown): void;
  /** A lock name that nobody else uses. */
  readonly lock: string;
  readonly url: string;
  connect(options?: ConnectOptions): Promise<Coordinator>;
  readonly queue: QueueAccess;
  /** The queue of its state. */
  readonly register: QueueAccess;
  /** Removes the queues of further locks that the case made. */
  forget(names: readonly string[], namespace?: string, slots?: number): Promise<void>;
  /** Declares the lock's queue with these arguments. Rejects when it exists with others. */
  declareQueue(args: Record<string, unknown>): Promise<void>;
  line(coordinator: Coordinator): Line;
  proxy(coordinator: Coordinator): FaultProxy;
  process(options?: ConnectOptions): Promise<Program>;
  alarm(on: boolean): Promise<void>;
  restart(): Promise<void>;
  takeBack(part?: 'lock' | 'register'): void;
  destroyToken(): void;
  readonly control: BrokerControl;
}

export interface Harness {
  readonly name: string;
  readonly can: ReadonlySet<Capability>;
  scene(lock: string, onEnd: Scene['onEnd']): Promise<Omit<Scene, 'onEnd'>>;
}

export interface Case {
  readonly title: string;
  readonly needs: readonly Capability[];
  readonly timeoutMs?: number;
  /** One of the cases that are run 50 times before they are trusted: `BATON_REPEAT=50`. */
  readonly concurrent?: boolean;
  run(scene: Scene): Promise<void>;
}

export function fits(harness: Harness, { needs }: Case): boolean {
  return needs.every((capability) => harness.can.has(capability));
}

/** Registers every case that this harness can run as a vitest test of its own. */
export function runContract(harness: Harness, cases: readonly Case[]): void {
  const repeat = Number(process.env.BATON_REPEAT ?? 1);
  const chosen = cases.filter((each) => fits(harness, each) && (repeat === 1 || each.concurrent));
  describe(harness.name, () => {
    for (const each of chosen) {
      it(each.title, { timeout: (each.timeoutMs ?? 60_000) * repeat }, async () => {
        for (let round = 0; round < repeat; round += 1) await runOnce(harness, each);
      });
    }
  });
}

/** The broker ends a service connection when its disk takes too long to start a queue that is declared there. */
const isSlowDisk = (error: Error | undefined): boolean => /cluster_not_formed/.test(error?.message ?? '');

async function runOnce(harness: Harness, each: Case): Promise<void> {
  const cleanups: (() => unknown)[] = [];
  const socketsBefore = openSockets();
  const lost: (Error | undefined)[] = [];
  try {
    const onEnd = (cleanup: () => unknown) => void cleanups.push(cleanup);
    const scene = await harness.scene(`contract:${randomUUID()}`, onEnd);
    const connect = async (options?: ConnectOptions) => {
      const coordinator = await scene.connect(options);
      coordinator.on('state', ({ to, error }) => {
        if (to === 'reconnecting' && !isSlowDisk(error)) lost.push(error);
      });
      return coordinator;
    };
    await each.run(Object.create(scene, { connect: { value: connect }, onEnd: { value: onEnd } }) as Scene);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup(); // last in, first out
  }
  if (!each.needs.some((need) => need === 'line' || need === 'restart')) {
    expect(lost, 'connections lost that nobody had touched').toEqual([]);
  }
  await expect.poll(openSockets, { timeout: 5_000 }).toBeLessThanOrEqual(socketsBefore);
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP')).length;
}

/** For a harness: what it cannot do says so when it is asked for all the same. */
export function cannot(what: string): never {
  throw new Error(`this harness cannot ${what}; the case should list it in needs`);
}
