import { join } from 'node:path';
import { askGuard } from './guard-client.ts';
import { enterRoot } from './roots.ts';
import { CommandError, run } from './run.ts';
import type { NodeHandle, Remote } from './types.ts';

/** The name that `erl_call -r` draws may be that of another one, which runs at the same time; the node then refuses it. */
const CONNECT_TRIES = 5;

/** Reaches a private node from any process of this machine. */
export class NodeRemote implements Remote {
  readonly url: string;
  readonly #handle: NodeHandle;

  constructor(handle: NodeHandle) {
    this.url = handle.url;
    this.#handle = handle;
  }

  async ctl(args: readonly string[]): Promise<string> {
    const { root, bin, nodeName } = this.#handle;
    return run(enterRoot(root, [join(bin, 'rabbitmqctl'), '-q', '-n', nodeName, ...args]), {
      env: this.#env(),
    });
  }

  async evalRaw(erlang: string): Promise<string> {
    const { root, distributionPort } = this.#handle;
    // erl_call is a small C program: 5 ms, where rabbitmqctl starts an Erlang of its own for half a second or more.
    // By address, so that epmd need not be asked.
    const erlCall = ['erl_call', '-address', `127.0.0.1:${distributionPort}`, '-timeout', '60', '-r', '-e'];
    const command = root === '/' ? erlCall : ['chroot', root, ...erlCall];
    for (let left = CONNECT_TRIES; ; left -= 1) {
      try {
        return await run(command, { env: this.#env(), input: `${erlang}\n` });
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        if (error.code === 'ENOENT' || error.code === 127) return this.ctl(['eval', erlang]);
        if (left === 1 || !error.message.includes('failed to connect to node')) throw error;
      }
    }
  }

  async kill(): Promise<void> {
    await askGuard(this.#handle.socket, 'kill');
  }

  async start(): Promise<void> {
    await askGuard(this.#handle.socket, 'start');
  }

  /** HOME is where the tools find the cookie. */
  #env(): NodeJS.ProcessEnv {
    const { home } = this.#handle;
    return {
      PATH: process.env.PATH,
      // Else a node whose folder is gone leaves a crash dump in the folder that the tests run in.
      ERL_CRASH_DUMP_BYTES: '0',
      HOME: home,
      LANG: 'C.UTF-8',
      RABBITMQ_CONF_ENV_FILE: `${home}/env.conf`,
    };
  }
}
