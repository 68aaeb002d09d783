/**
 * The process between `baton run` and its command. It sees to it that the command's process group is dead when the
 * lease ends, whatever becomes of `baton run`:
 *
 *     baton run ──IPC: beats with the lease's end──▶ guard ──parent of──▶ command (leader of its group)
 *
 * It is the command's parent, so there is no moment at which the command runs and the guard does not know its group.
 * It has a session of its own: what a terminal does to `baton run` (Ctrl-C, Ctrl-Z, hang-up) does not reach it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { isGroupAlive, signalGroup } from './group.ts';
import { type Answer, type LeaseEnd, leftOf, type Order } from './guard-messages.ts';

/** Also how soon a step of the wall clock is seen. */
const LONGEST_PAUSE_MS = 250;
const POLL_MS = 20;

/** Where `baton run` put its own stdin, stdout and stderr. The guard's are closed: it has nothing to say to people. */
const STDIO = [4, 5, 6];

let pgid: number | undefined;
let end: LeaseEnd = { mono: 0, wall: 0 };
let killAfterMs = 0;
/** The lease has run out so far that the command was told to stop: no beat changes that any more. */
let stopped = false;
let timer: NodeJS.Timeout | undefined;

const say = (answer: Answer) => process.send?.(answer, () => {});

function watch(): void {
  if (pgid === undefined) return;
  const left = leftOf(end);
  if (left <= killAfterMs && !stopped) {
    stopped = true;
    signalGroup(pgid, 'SIGTERM');
    // A stopped process takes no other signal than SIGKILL.
    signalGroup(pgid, 'SIGCONT');
  }
  if (left <= 0) signalGroup(pgid, 'SIGKILL');
  const next = stopped ? left : left - killAfterMs;
  clearTimeout(timer);
  timer = setTimeout(watch, left <= 0 ? POLL_MS : Math.min(LONGEST_PAUSE_MS, Math.max(1, next)));
}

function kill(): void {
  stopped = true;
  end = { mono: 0, wall: 0 };
  watch();
}

function start(order: Extract<Order, { do: 'run' }>): void {
  end = order.end;
  killAfterMs = order.killAfterMs;
  const child = spawn(order.file, order.args, { env: order.env, stdio: STDIO, detached: true });
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid === undefined) say({ say: 'failed', errno: error.code ?? error.message });
  });
  child.once('exit', (code, signal) => void ended(code, signal));
  if (child.pid === undefined) return;
  pgid = child.pid;
  say({ say: 'started', pgid });
  watch();
}

/** The command itself has gone; what it left behind in its group may not outlive the lease either. */
async function ended(code: ChildProcess['exitCode'], signal: NodeJS.Signals | null): Promise<void> {
  const group = pgid;
  const wasStopped = stopped;
  if (group !== undefined && isGroupAlive(group)) {
    signalGroup(group, 'SIGTERM');
    signalGroup(group, 'SIGCONT');
    const patience = performance.now() + killAfterMs;
    while (isGroupAlive(group)) {
      if (performance.now() >= patience) signalGroup(group, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  // The number may belong to somebody else from here on.
  pgid = undefined;
  clearTimeout(timer);
  say({ say: 'ended', code, signal, stopped: wasStopped });
}

process.on('message', (order: Order) => {
  switch (order.do) {
    case 'run':
      return start(order);
    case 'beat':
      if (!stopped) end = order.end;
      return watch();
    case 'signal':
      if (pgid !== undefined) signalGroup(pgid, order.signal);
      return;
    case 'kill':
      return kill();
  }
});
process.once('disconnect', () => {
  if (pgid !== undefined) signalGroup(pgid, 'SIGKILL');
  process.exit();
});
say({ say: 'ready' });
