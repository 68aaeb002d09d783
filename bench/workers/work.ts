import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { monotonicMs } from '../clock.ts';
import type { Client, Hold, Open } from '../peers/peer.ts';
import { type HopOrder, hop } from '../peers/rabbitmq/hop.ts';
import type { TapedFrame } from '../peers/rabbitmq/tape.ts';
import type { Wire } from '../peers/rabbitmq/wire.ts';
import type { WireCounts } from '../peers/rabbitmq/wire-log.ts';
import type { Turn } from '../stats.ts';
import type {
  ContendOrder,
  ContendReport,
  CycleOrder,
  CycleReport,
  OpenOrder,
  TakeOrder,
  Usage,
  WorkerCalls,
} from './messages.ts';

type Async<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => R | Promise<R> : never;
};

const PLACED_WITHIN_MS = 500;
const AT_ONCE = 50;
const never = new AbortController().signal;
// Everybody who waits listens.
setMaxListeners(0, never);
const nothing = () => {};

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

export class Work implements Async<WorkerCalls> {
  readonly #wire: Wire | undefined;
  #client: Client | undefined;
  #stop = new AbortController();
  #contention = new AbortController();
  #linedUp = new Set<number>();
  #granted: Promise<number> | undefined;
  #held: Hold | undefined;
  /** So that nothing that is held is collected. */
  readonly #kept: unknown[] = [];

  constructor(wire: Wire | undefined) {
    this.#wire = wire;
  }

  async open({ client, urls, options }: OpenOrder): Promise<void> {
    const { open } = (await import(new URL(`../peers/${client}`, import.meta.url).href)) as { open: Open };
    this.#client = await open(urls, options);
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }

  async contend({ name, contenders, holdMs, stubborn }: ContendOrder): Promise<ContendReport> {
    const turns: Turn[] = [];
    const failures: string[] = [];
    let givenUp = 0;
    const end = new AbortController();
    setMaxListeners(0, end.signal);
    this.#contention = end;
    this.#linedUp = new Set();
    this.#wire?.log.take();
    const contend = async (contender: number): Promise<void> => {
      while (!end.signal.aborted) {
        const turn = { contender, askedAt: monotonicMs(), placedAt: Number.NaN };
        const placed = () => {
          turn.placedAt = monotonicMs();
          this.#linedUp.add(contender);
        };
        try {
          const { fence, release } = await this.#open.acquire(name, { signal: end.signal, placed });
          const grantedAt = monotonicMs();
          this.#linedUp.add(contender);
          if (holdMs > 0) await pause(holdMs);
          turns.push({ ...turn, grantedAt, releasedAt: monotonicMs(), fence });
          await release();
        } catch (error) {
          if (end.signal.aborted) {
            givenUp += 1;
            turns.push({ ...turn, grantedAt: Infinity, releasedAt: Infinity, fence: undefined });
          } else if (stubborn) await pause(20);
          else {
            failures.push(String(error));
            return;
          }
        }
      }
    };
    await Promise.all(contenders.map(contend));
    return { turns, givenUp, failures, wire: await this.#counted() };
  }

  linedUp(): number {
    return this.#linedUp.size;
  }

  endContention(): void {
    this.#contention.abort();
  }

  async cycle({ name, fresh, untilMs, atLeast = 2 }: CycleOrder): Promise<CycleReport> {
    const [acquires, releases]: [number[], number[]] = [[], []];
    this.#wire?.log.take();
    for (let turn = 0; turn < atLeast || monotonicMs() < untilMs; turn += 1) {
      const askedAt = performance.now();
      const hold = await this.#open.acquire(fresh ? `${name}-${turn}` : name, {
        signal: never,
        placed: nothing,
      });
      const grantedAt = performance.now();
      await hold.release();
      acquires.push(grantedAt - askedAt);
      releases.push(performance.now() - grantedAt);
    }
    const wire = await this.#counted();
    return { acquires: Float64Array.from(acquires), releases: Float64Array.from(releases), wire };
  }

  async hop(order: HopOrder): Promise<Float64Array> {
    this.#stop = new AbortController();
    return hop(order, this.#stop.signal);
  }

  stopHop(): void {
    this.#stop.abort();
  }

  async hold(name: string): Promise<number> {
    this.#held = await this.#open.acquire(name, { signal: never, placed: nothing });
    return monotonicMs();
  }

  async queue(name: string): Promise<void> {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, PLACED_WITHIN_MS);
      this.#granted = this.#open.acquire(name, { signal: never, placed: resolve }).then((hold) => {
        this.#held = hold;
        return monotonicMs();
      });
      this.#granted.catch(nothing);
    });
  }

  async granted(): Promise<number> {
    return this.#granted ?? Promise.reject(new Error('nothing was waited for'));
  }

  async release(): Promise<number> {
    const calledAt = monotonicMs();
    await this.#held?.release();
    return calledAt;
  }

  startTape(): void {
    this.#wire?.tape.start();
  }

  stopTape(): readonly TapedFrame[] {
    return this.#wire?.tape.stop() ?? [];
  }

  usage(): Usage {
    const { gc } = globalThis;
    if (gc === undefined) throw new Error('the worker was started without --expose-gc');
    const cpuBeforeMs = cpuMs();
    gc();
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rssBytes: rss, heapBytes: heapUsed + external, cpuBeforeMs, cpuMs: cpuMs() };
  }

  async take({ names, release }: TakeOrder): Promise<void> {
    const left = [...names];
    const taker = async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) {
        const hold: Hold = await this.#open.acquire(name, { signal: never, placed: nothing });
        if (release) await hold.release();
        else this.#kept.push(hold);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, taker));
  }

  async wait(names: readonly string[]): Promise<void> {
    const places = names.map(
      (name) =>
        new Promise<void>((resolve, reject) => {
          setTimeout(resolve, PLACED_WITHIN_MS).unref();
          const granted = this.#open.acquire(name, { signal: never, placed: resolve });
          this.#kept.push(granted);
          granted.then(
            () => reject(new Error(`${name} was granted to a waiter although it is held`)),
            reject,
          );
        }),
    );
    await Promise.all(places);
  }

  get #open(): Client {
    if (this.#client === undefined) throw new Error('no client is open');
    return this.#client;
  }

  /** The last frames may still be on their way through the socket's buffers. */
  async #counted(): Promise<WireCounts | undefined> {
    await pause(this.#wire === undefined ? 0 : 20);
    return this.#wire?.log.take();
  }
}
