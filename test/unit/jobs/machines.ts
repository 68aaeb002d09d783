import { parseFlags } from '../../../src/cli/flags.ts';
import { ONCE } from '../../../src/cli/run/help.ts';
import { type CommandEnd, runOnce } from '../../../src/cli/run/once.ts';
import { readOnce } from '../../../src/cli/run/once-order.ts';
import { Coordinator } from '../../../src/coordinator.ts';
import { type JobRecord, jobRecordSchema } from '../../../src/jobs/record.ts';
import { MemoryBroker } from '../../../src/memory/broker.ts';
import { parseConnectOptions } from '../../../src/options.ts';
import { ManualClock } from '../../../src/testing/index.ts';

export interface Call {
  /** How much the machine's clock is ahead, in milliseconds. Default: 0. */
  readonly aheadMs?: number;
  /** How long its command takes, in milliseconds. Default: 0. */
  readonly tookMs?: number;
  /** What its command ends with. Default: 0. */
  readonly code?: number;
  /** The machine dies while its command runs. */
  readonly dies?: boolean;
}

/** Calls of `baton run jobs --once-per …`, each by a machine of its own, on the in-memory broker. */
export class Machines {
  readonly clock: ManualClock;
  /** What the commands were given as their tick, in order. */
  readonly ran: string[] = [];
  readonly #flags: readonly string[];
  readonly #broker: MemoryBroker;
  readonly #coordinators = new Set<Coordinator>();

  constructor(start: string, ...flags: string[]) {
    this.clock = new ManualClock(Date.parse(start));
    this.#broker = new MemoryBroker({ clock: this.clock });
    this.#flags = flags;
  }

  /** Calls, lets a second pass, and resolves with the exit code; undefined while it waits or runs. */
  async call(options: Call = {}): Promise<number | undefined> {
    const code = { value: undefined as number | undefined };
    void this.begin(options).then((value) => {
      code.value = value;
    });
    await this.clock.advance(1_000);
    return code.value;
  }

  /** Calls, and resolves with the exit code when it has ended. */
  async begin({ aheadMs = 0, tookMs = 0, code: endsWith = 0, dies = false }: Call = {}): Promise<number> {
    const settings = parseConnectOptions({ service: 'cron' });
    const policy = readOnce(parseFlags(this.#flags, ONCE).values, settings);
    if (policy === undefined) throw new Error('--once-per is missing');
    const session = this.#broker.connect();
    const coordinator = new Coordinator(session, settings, this.clock);
    this.#coordinators.add(coordinator);
    const lease = await coordinator.lock('jobs', { state: jobRecordSchema }).acquire();
    const now = () => Math.floor(this.clock.now().wall) + aheadMs;
    const once = { policy, service: 'cron', logger: undefined, now };
    const code = await runOnce(lease, once, async ({ BATON_TICK }): Promise<CommandEnd> => {
      this.ran.push(BATON_TICK);
      if (dies) {
        session.disconnect();
        await new Promise(() => {});
      }
      if (tookMs > 0) await this.#pass(tookMs);
      return { code: endsWith, signal: null };
    });
    this.#coordinators.delete(coordinator);
    await coordinator.close();
    return code;
  }

  /** What the lock remembers. */
  async remembered(): Promise<JobRecord | undefined> {
    const coordinator = new Coordinator(this.#broker.connect(), parseConnectOptions({}), this.clock);
    this.#coordinators.add(coordinator);
    let record: JobRecord | undefined;
    void coordinator.lock('jobs', { state: jobRecordSchema }).run(({ state }) => {
      record = state;
    });
    await this.clock.advance(1_000);
    return record;
  }

  /** Moves on to an instant. */
  async until(iso: string): Promise<void> {
    await this.clock.advance(Date.parse(iso) - this.clock.now().wall);
  }

  async close(): Promise<void> {
    const closing = Promise.all([...this.#coordinators].map((it) => it.close({ drainMs: 0 })));
    await this.clock.advance(3_000);
    await closing;
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(this.clock.now().mono + ms, resolve));
  }
}
