import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ClientOptions, Peer } from '../peers/peer.ts';
import type { Answer, WorkerCalls } from './messages.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

type Method = keyof WorkerCalls;
type Argument<M extends Method> = Parameters<WorkerCalls[M]>;
type Value<M extends Method> = ReturnType<WorkerCalls[M]>;

/** A crew for hops has no client. */
export type CrewPeer = Pick<Peer, 'id' | 'server'> & Partial<Pick<Peer, 'client' | 'options'>>;

/** One worker process. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #last = 0;
  #ended: Error | undefined;

  constructor(peer: CrewPeer) {
    const amqp = peer.server.startsWith('rabbitmq');
    this.#child = fork(WORKER, [], {
      cwd: PROJECT,
      env: { ...process.env, ...(amqp && { BENCH_AMQP: '1' }) },
      execArgv: ['--import', 'tsx', '--expose-gc'],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (answer: Answer) => this.#onAnswer(answer));
    this.#child.once('exit', (code, signal) => {
      this.#ended = new Error(`a worker of ${peer.id} ended (${signal ?? code})`);
      for (const { reject } of this.#calls.values()) reject(this.#ended);
      this.#calls.clear();
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  call<M extends Method>(method: M, ...[argument]: Argument<M>): Promise<Value<M>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    this.#last += 1;
    const id = this.#last;
    const answer = new Promise<Value<M>>((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ id, method, argument });
    });
    // Many a call is answered long before anybody looks, and its worker may end meanwhile.
    answer.catch(() => {});
    return answer;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #onAnswer(answer: Answer): void {
    const call = this.#calls.get(answer.id);
    this.#calls.delete(answer.id);
    if ('error' in answer) call?.reject(new Error(answer.error));
    else call?.resolve(answer.value);
  }
}

/** The processes of one peer. They are kept from slice to slice, so that code is warm; connections are not. */
export class Crew {
  readonly peer: CrewPeer;
  readonly #workers: Worker[] = [];
  #stopped = false;

  constructor(peer: CrewPeer) {
    this.peer = peer;
  }

  /** So many workers, started if need be. */
  workers(size: number): Worker[] {
    if (this.#stopped) throw new Error(`the workers of ${this.peer.id} were stopped`);
    while (this.#workers.length < size) this.#workers.push(new Worker(this.peer));
    return this.#workers.slice(0, size);
  }

  /** Opens a client in each of `size` workers. */
  async open(urls: readonly string[], options: ClientOptions, size: number): Promise<Worker[]> {
    const { client, options: own } = this.peer;
    if (client === undefined) throw new Error(`${this.peer.id} has no client`);
    const workers = this.workers(size);
    await Promise.all(
      workers.map((worker) => worker.call('open', { client, urls, options: { ...own, ...options } })),
    );
    return workers;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.call('close')));
  }

  /** For good. Every call that is not answered yet rejects. */
  stop(): void {
    this.#stopped = true;
    for (const worker of this.#workers) worker.signal('SIGKILL');
    this.#workers.length = 0;
  }
}
