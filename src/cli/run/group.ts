import { readdirSync, readFileSync } from 'node:fs';

/** How another process is told of a session. */
export interface SessionName {
  readonly leader: number;
  /** When its leader started, as Linux counts: tells it from a later one of the same number. Undefined without /proc. */
  readonly startedAt: string | undefined;
}

/**
 * The processes that came from a command. It leads a session, which none of them leaves by making a process group of
 * its own (`set -m`, `timeout`), but only by `setsid`. Without Linux's /proc a session cannot be listed: there it is
 * the command's own process group.
 *
 * The kernel gives the number to nobody else as long as one of them is there, so what has been seen dead once must not
 * be asked again.
 */
export class CommandSession {
  readonly name: SessionName;

  constructor(name: SessionName) {
    this.name = name;
  }

  /** Of a child that leads its session, and that nobody has waited for yet. */
  static of(leader: number): CommandSession {
    return new CommandSession({ leader, startedAt: startOf(leader) });
  }

  /** Of the one leader of a session that was started with these entries in its environment; undefined without /proc. */
  static withEnvironment(entries: readonly string[]): CommandSession | undefined {
    const leader = pids().find((pid) => {
      if (statOf(pid).session !== pid) return false;
      const environment = read(`/proc/${pid}/environ`).split('\0');
      return entries.every((entry) => environment.includes(entry));
    });
    return leader === undefined ? undefined : CommandSession.of(leader);
  }

  /** A zombie is not alive. Where process 1 reaps nobody, as in many containers, orphans stay zombies. */
  get isAlive(): boolean {
    const groups = this.#groups();
    return groups === undefined ? send(this.name.leader, 0) : groups.size > 0;
  }

  /** To the command's own process group, as from a terminal. */
  signalGroup(signal: NodeJS.Signals): void {
    if (!this.#isAnother()) send(this.name.leader, signal);
  }

  /** To every process. Group by group, because a process that is forking cannot slip through then. */
  signalAll(signal: NodeJS.Signals): void {
    if (this.#isAnother()) return;
    const groups = this.#groups() ?? [];
    for (const group of new Set([this.name.leader, ...groups])) send(group, signal);
  }

  /** The process groups in which something runs. Undefined without /proc. */
  #groups(): ReadonlySet<number> | undefined {
    const all = pids();
    if (all.length === 0) return undefined;
    if (this.#isAnother()) return new Set();
    const inside = all
      .map(statOf)
      .filter(({ session, state }) => session === this.name.leader && state !== 'Z' && state !== 'X');
    return new Set(inside.map(({ group }) => group));
  }

  #isAnother(): boolean {
    const startedAt = startOf(this.name.leader);
    return startedAt !== undefined && startedAt !== this.name.startedAt;
  }
}

/** False when there is no such group. */
function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    // EPERM: what is left of it runs as somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Empty without Linux's /proc. */
function pids(): readonly number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

const startOf = (pid: number): string | undefined => statOf(pid).startedAt;

function statOf(pid: number) {
  // pid (command, which may hold anything) state ppid pgrp session … starttime, which is field 22
  const fields = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');
  const [state, , group, session] = fields;
  return { state, group: Number(group), session: Number(session), startedAt: fields[19] };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
