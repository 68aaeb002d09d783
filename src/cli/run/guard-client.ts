import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isGroupAlive, signalGroup } from './group.ts';
import { type Answer, leaseEndIn, type Order } from './guard-messages.ts';

/** How a command under guard ended. `guard-died`: somebody killed the guard, and so the command had to go. */
export type Ending = Extract<Answer, { say: 'ended' | 'failed' }> | { readonly say: 'guard-died' };

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

const HERE = import.meta.url;
const GUARD = fileURLToPath(new URL(`./guard${extname(HERE)}`, HERE));
const POLL_MS = 20;

/** The guard process of one command, from the side of `baton run`. */
export class Guard {
  /** Resolves once nothing of the command's group is left. Never rejects. */
  readonly ended: Promise<Ending>;
  readonly #process: ChildProcess;
  #pgid: number | undefined;

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.ended = new Promise((resolve) => {
      child.on('message', (answer: Answer) => {
        if (answer.say === 'started') this.#pgid = answer.pgid;
        if (answer.say !== 'ended' && answer.say !== 'failed') return;
        // The number may belong to somebody else from here on.
        this.#pgid = undefined;
        resolve(answer);
      });
      child.once('disconnect', () => void this.#died().then(resolve));
      // It could not even be started.
      child.once('error', () => resolve({ say: 'guard-died' }));
    });
  }

  /**
   * Starts the guard; nothing runs under it yet.
   *
   * @param title what `ps` shows behind the guard's file name
   */
  static async start(title: string): Promise<Guard> {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const loader = GUARD.endsWith('.ts') ? process.execArgv : [];
    const child = spawn(process.execPath, [...loader, GUARD, title], {
      env,
      // Its own standard streams stay empty: Node would set a terminal back to what it was when it exits.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', 0, 1, 2],
      detached: true,
    });
    const guard = new Guard(child);
    await Promise.race([once(child, 'message'), guard.ended]);
    return guard;
  }

  /** Starts the command, which is told to stop `killAfterMs` before the lease ends, and dies with it. */
  run(command: Command, leaseLeftMs: number, killAfterMs: number): void {
    this.#send({ do: 'run', ...command, end: leaseEndIn(leaseLeftMs), killAfterMs });
  }

  /** Tells that the lease is good for so long from now on. */
  beat(leaseLeftMs: number): void {
    this.#send({ do: 'beat', end: leaseEndIn(leaseLeftMs) });
  }

  /** Passes a signal on to the command's group. */
  signal(signal: NodeJS.Signals): void {
    this.#send({ do: 'signal', signal });
  }

  /** The lease is lost: the group is killed at once. */
  kill(): void {
    this.#send({ do: 'kill' });
  }

  /** Ends the guard, and what still runs under it. */
  close(): void {
    if (this.#process.connected) this.#process.disconnect();
  }

  #send(order: Order): void {
    if (this.#process.connected) this.#process.send(order, () => {});
  }

  async #died(): Promise<Ending> {
    const group = this.#pgid;
    while (group !== undefined && isGroupAlive(group)) {
      signalGroup(group, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return { say: 'guard-died' };
  }
}
