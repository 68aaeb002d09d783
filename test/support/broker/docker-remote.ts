import type { ContainerRuntimeClient } from 'testcontainers';
import type { DockerHandle, Remote } from './types.ts';

/** Reaches a broker in a container from any process that reaches the Docker engine. */
export class DockerRemote implements Remote {
  readonly url: string;
  readonly #id: string;
  #client: Promise<ContainerRuntimeClient> | undefined;

  constructor(handle: DockerHandle) {
    this.url = handle.url;
    this.#id = handle.containerId;
  }

  async ctl(args: readonly string[]): Promise<string> {
    const client = await this.#connect();
    const command = ['rabbitmqctl', '-q', ...args];
    const { exitCode, stdout, output } = await client.container.exec(
      client.container.getById(this.#id),
      command,
    );
    if (exitCode !== 0) throw new Error(`${command.join(' ')} failed (${exitCode}): ${output.trim()}`);
    return stdout;
  }

  async evalRaw(erlang: string): Promise<string> {
    return this.ctl(['eval', erlang]);
  }

  async kill(): Promise<void> {
    const client = await this.#connect();
    const container = client.container.getById(this.#id);
    await container.kill({ signal: 'SIGKILL' });
    await container.wait();
  }

  async start(): Promise<void> {
    const client = await this.#connect();
    await client.container.start(client.container.getById(this.#id));
  }

  async #connect(): Promise<ContainerRuntimeClient> {
    this.#client ??= import('testcontainers').then(({ getContainerRuntimeClient }) =>
      getContainerRuntimeClient(),
    );
    return this.#client;
  }
}
