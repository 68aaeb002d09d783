import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { CommandSession } from './group.ts';
import { type Answer, leaseEndIn, type Order } from './guard-messages.ts';
import { GuardError, GuardProcess } from './guard-process.ts';
import { type Line, lineOf } from './line.ts';

/**
 * How a command under guard ended. `unguarded`: its guard was killed, or hung, so that nobody knows its exit code.
 * `ran`: whether it had been started, as far as was heard.
 */
export type Ending =
  | Extract<Answer, { say: 'ended' | 'failed' }>
  | { readonly say: 'unguarded'; readonly guard: 'killed' | 'silent'; readonly ran: boolean };

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

const POLL_MS = 20;
/** A guard that does not answer for so long is replaced. */
const SILENT_AFTER_MS = 1_000;
/** For so long the exit code is waited for when the command is dead and its guard does not say so. */
const GIVE_UP_AFTER_MS = 10_000;

/** What no other process has in its environment, but those that come from this command. */
const marksOf = ({ env }: Command): readonly string[] =>
  ['BATON_LOCK', 'BATON_FENCE'].map((name) => `${name}=${env[name]}`);

/**
 * The guard of one command, from the side of `baton run`, which does the guard's work itself while that does not
 * answer. A second guard is there then, should `baton run` be killed or stopped as well.
 */
export class Guard implements Disposable {
  readonly #title: string;
  #guard: GuardProcess;
  #spare: GuardProcess | undefined;
  #lines: readonly (Line | undefined)[] = [];
  #session: CommandSession | undefined;
  #killAfterMs = 0;
  /** The command was told to stop by this process. */
  #stopped = false;
  #silentMs = 0;
  #replacedAt = Number.NEGATIVE_INFINITY;

  /** @param title what `ps` shows behind the guard's file name */
  constructor(title: string) {
    this.#title = title;
    this.#guard = new GuardProcess(title);
  }

  /** Resolves when the guard is there; nothing runs under it yet. Rejects with {@link GuardError}. */
  get ready(): Promise<void> {
    return this.#guard.ready;
  }

  /**
   * Hands over the lines to the broker that are not to be cut before the guard ends. What became of the guard meanwhile
   * does not matter: one that does not answer is replaced. Rejects with {@link GuardError}.
   */
  async keep(sockets: readonly Socket[]): Promise<void> {
    this.#lines = sockets.map(lineOf);
    if (await this.#guard.keep(this.#lines, SILENT_AFTER_MS)) return;
    this.#guard.signal('SIGKILL');
    this.#guard = new GuardProcess(this.#title);
    if (!(await this.#guard.keep(this.#lines, SILENT_AFTER_MS)))
      throw new GuardError('the guard process does not answer');
  }

  /**
   * Starts the command, which is told to stop `killAfterMs` before the lease ends, and dies with it. Resolves once
   * nothing of the command's session is left. Never rejects.
   */
  run(command: Command, leaseLeftMs: number, killAfterMs: number): Promise<Ending> {
    this.#killAfterMs = killAfterMs;
    const guard = this.#guard;
    let ran = false;
    return new Promise((resolve) => {
      guard.onAnswer = (answer) => {
        if (answer.say === 'started') {
          ran = true;
          this.#session = new CommandSession(answer.session);
        }
        if (answer.say !== 'ended' && answer.say !== 'failed') return;
        // The number may belong to somebody else from here on.
        this.#session = undefined;
        if (answer.say === 'failed') return resolve(answer);
        const byThis = this.#stopped && (answer.signal === 'SIGKILL' || answer.signal === 'SIGTERM');
        resolve({ ...answer, stopped: answer.stopped || byThis });
      };
      void guard.gone
        .then(() => {
          // Killed before it could tell. When it is known to be gone, its child has been through exec(2): until then the
          // child has a duplicate of the guard's end of the line.
          if (!ran) this.#session = CommandSession.withEnvironment(marksOf(command));
          ran ||= this.#session !== undefined;
          return this.#killSession();
        })
        .then(() => {
          const why = this.#silentMs >= SILENT_AFTER_MS ? 'silent' : 'killed';
          resolve({ say: 'unguarded', guard: why, ran });
        });
      guard.send({ do: 'run', ...command, end: leaseEndIn(leaseLeftMs), killAfterMs });
    });
  }

  /** To be called every `everyMs`. Tells how long the lease is good from now on; 0 when it is lost. */
  beat(leaseLeftMs: number, everyMs: number): void {
    const silent = this.#guard.unanswered * everyMs;
    this.#silentMs = silent >= SILENT_AFTER_MS ? this.#silentMs + everyMs : 0;
    if (this.#silentMs > 0) this.#standIn(leaseLeftMs, everyMs);
    this.#tell(leaseLeftMs > 0 ? { do: 'beat', end: leaseEndIn(leaseLeftMs) } : { do: 'kill' });
  }

  /** Passes a signal on to the command's group. */
  signal(signal: NodeJS.Signals): void {
    this.#guard.send({ do: 'signal', signal });
  }

  /** The lease is lost: the session is killed at once, also if the guard does not run. */
  kill(): void {
    this.#tell({ do: 'kill' });
    this.#stopped = true;
    void this.#killSession();
  }

  /** Ends the guard, and what still runs under it. */
  [Symbol.dispose](): void {
    this.#spare?.dismiss();
    this.#guard.dismiss();
  }

  #tell(order: Order): void {
    this.#guard.send(order);
    this.#spare?.send(order);
  }

  #standIn(leaseLeftMs: number, everyMs: number): void {
    // It may only have been stopped.
    this.#guard.signal('SIGCONT');
    const session = this.#session;
    if (session === undefined) return;
    if (leaseLeftMs <= this.#killAfterMs && !this.#stopped) {
      this.#stopped = true;
      session.signalAll('SIGTERM');
      session.signalAll('SIGCONT');
    }
    const spare = this.#spare;
    const isSpared = spare !== undefined && !spare.isGone && spare.unanswered * everyMs < SILENT_AFTER_MS;
    if (!isSpared && performance.now() - this.#replacedAt > SILENT_AFTER_MS) {
      spare?.signal('SIGKILL');
      this.#replace(session, leaseLeftMs);
    }
    if (this.#silentMs >= GIVE_UP_AFTER_MS && !session.isAlive) this.#guard.signal('SIGKILL');
  }

  #replace(session: CommandSession, leaseLeftMs: number): void {
    this.#replacedAt = performance.now();
    const end = leaseEndIn(leaseLeftMs);
    const killAfterMs = this.#killAfterMs;
    const spare = new GuardProcess(this.#title, { do: 'watch', session: session.name, end, killAfterMs });
    this.#spare = spare;
    // Without one, this process does the work alone.
    spare.keep(this.#lines, SILENT_AFTER_MS).catch(() => {});
  }

  async #killSession(): Promise<void> {
    const session = this.#session;
    while (session !== undefined && session === this.#session && session.isAlive) {
      session.signalAll('SIGKILL');
      await pause(POLL_MS);
    }
  }
}
