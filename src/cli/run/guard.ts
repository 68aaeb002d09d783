/**
 * The process between `baton run` and its command. It sees to it that the command's session is dead when the lease
 * ends, whatever becomes of `baton run`:
 *
 *     baton run ──IPC: beats with the lease's end──▶ guard ──parent of──▶ command (leader of its session)
 *         └────────────the lock connection───────────┘
 *
 * It is the command's parent, so there is no moment at which the command runs and the guard does not know its session.
 * It has a session of its own: what a terminal does to `baton run` (Ctrl-C, Ctrl-Z, hang-up) does not reach it.
 *
 * It has a duplicate of the lock connection's socket, and never touches it: so the line is not cut, and the lock not
 * free, before the guard has ended, which is after the command. If the guard hangs, the broker misses the heartbeats.
 */
import '../no-debugger.ts';
import { type ChildProcess, spawn } from 'node:child_process';
import { CommandSession } from './group.ts';
import { type Answer, FIRST_ORDER, type LeaseEnd, leftOf, type Order } from './guard-messages.ts';
import { PASSED_ON } from './interrupts.ts';

/** Also how soon a step of the wall clock is seen. */
const LONGEST_PAUSE_MS = 250;
const POLL_MS = 20;

/** Where `baton run` put its own stdin, stdout and stderr. The guard's are closed: it has nothing to say to people. */
const STDIO = [4, 5, 6];

const lines: unknown[] = [];
let session: CommandSession | undefined;
let end: LeaseEnd = { mono: 0, wall: 0 };
let killAfterMs = 0;
/** The lease has run out so far that the command was told to stop: no beat changes that any more. */
let stopped = false;
let timer: NodeJS.Timeout | undefined;

const say = (answer: Answer) => process.send?.(answer, () => {});
const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));

function watch(): void {
  if (session === undefined) return;
  const left = leftOf(end);
  if (left <= killAfterMs && !stopped) {
    stopped = true;
    askToStop(session);
  }
  if (left <= 0) session.signalAll('SIGKILL');
  const next = stopped ? left : left - killAfterMs;
  clearTimeout(timer);
  timer = setTimeout(watch, left <= 0 ? POLL_MS : Math.min(LONGEST_PAUSE_MS, Math.max(1, next)));
}

function askToStop(whom: CommandSession): void {
  whom.signalAll('SIGTERM');
  // A stopped process takes no other signal than SIGKILL.
  whom.signalAll('SIGCONT');
}

function kill(): void {
  stopped = true;
  end = { mono: 0, wall: 0 };
  watch();
}

function start(order: Extract<Order, { do: 'run' }>): void {
  end = order.end;
  killAfterMs = order.killAfterMs;
  // `detached` is setsid(2).
  const child = spawn(order.file, order.args, { env: order.env, stdio: STDIO, detached: true });
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid === undefined) say({ say: 'failed', errno: error.code ?? error.message });
  });
  child.once('exit', (code, signal) => void ended(code, signal));
  if (child.pid === undefined) return;
  session = CommandSession.of(child.pid);
  say({ say: 'started', session: session.name });
  watch();
}

/** The command itself has gone; what it left behind may not outlive the lease either. */
async function ended(code: ChildProcess['exitCode'], signal: NodeJS.Signals | null): Promise<void> {
  const left = session;
  const wasStopped = stopped;
  if (left?.isAlive) {
    askToStop(left);
    const patience = performance.now() + killAfterMs;
    while (left.isAlive) {
      if (performance.now() >= patience) left.signalAll('SIGKILL');
      await pause();
    }
  }
  // The number may belong to somebody else from here on.
  session = undefined;
  clearTimeout(timer);
  say({ say: 'ended', code, signal, stopped: wasStopped });
}

function onOrder(order: Order, line: unknown): void {
  switch (order.do) {
    case 'keep':
      lines.push(line);
      break;
    case 'run':
      start(order);
      break;
    case 'watch':
      session = new CommandSession(order.session);
      end = order.end;
      killAfterMs = order.killAfterMs;
      watch();
      break;
    case 'beat':
      if (!stopped) end = order.end;
      watch();
      break;
    case 'signal':
      session?.signalGroup(order.signal);
      break;
    case 'kill':
      kill();
  }
  say({ say: 'here' });
}

/** `baton run` has gone, or needs nobody any more. */
async function leave(): Promise<void> {
  while (session?.isAlive) {
    session.signalAll('SIGKILL');
    await pause();
  }
  process.exit();
}

// It ends with `baton run` and with nothing else: systemd, for one, sends SIGTERM to every process of a service.
for (const signal of PASSED_ON) process.on(signal, () => {});
process.on('message', onOrder);
process.once('disconnect', () => void leave());
say({ say: 'ready' });
const first = process.env[FIRST_ORDER];
if (first !== undefined) onOrder(JSON.parse(first) as Order, undefined);
// While Node loads this file, the end of `baton run` is told to nobody, and what it said before is lost.
if (!process.connected) void leave();
