import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { aptInstall, isRoot } from './broker/debian.ts';
import { run } from './broker/run.ts';

export interface PostgresAddress {
  /** The folder of the unix socket. */
  readonly host: string;
  readonly user: string;
  readonly database: string;
}

const VERSIONS = '/usr/lib/postgresql';
const START_TIMEOUT_MS = 30_000;

/** It refuses to run as root. */
const UNPRIVILEGED = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', '--'];

/** A PostgreSQL of our own, from Debian's package: own data, a unix socket and no port. Ends with this process. */
export class Postgres implements AsyncDisposable {
  readonly address: PostgresAddress;
  readonly #server: ChildProcess;

  private constructor(address: PostgresAddress, server: ChildProcess) {
    this.address = address;
    this.#server = server;
  }

  static async start(log: (line: string) => void = () => {}): Promise<Postgres> {
    const bin = findBinaries() ?? (await install(log));
    const as = isRoot() ? UNPRIVILEGED : [];
    const folder = await mkdtemp(join(tmpdir(), 'batonmq-postgres-'));
    if (isRoot()) await run(['chown', 'nobody:nogroup', folder]);
    await chmod(folder, 0o755);
    const data = join(folder, 'data');
    await run([
      ...as,
      join(bin, 'initdb'),
      '-D',
      data,
      '-A',
      'trust',
      '-U',
      'test',
      '-E',
      'UTF8',
      '--no-sync',
    ]);
    const options = ['fsync=off', 'listen_addresses=', `unix_socket_directories=${folder}`];
    const leash = ['/usr/bin/setpriv', '--pdeathsig', 'INT', '--'];
    const command = [...as, ...leash, join(bin, 'postgres'), '-D', data];
    const [file = '', ...args] = [...command, ...options.flatMap((option) => ['-c', option])];
    const server = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    server.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
    const postgres = new Postgres({ host: folder, user: 'test', database: 'postgres' }, server);
    try {
      await postgres.#answers();
    } catch (error) {
      await postgres.stop();
      throw new Error(`PostgreSQL did not start: ${said}`, { cause: error });
    }
    return postgres;
  }

  async #answers(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const client = new pg.Client({ ...this.address });
      try {
        await client.connect();
        return;
      } catch (error) {
        if (Date.now() > deadline || this.#server.exitCode !== null) throw error;
        await pause(100);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  /** Ends the server and removes its data. Idempotent. */
  async stop(): Promise<void> {
    if (this.#server.exitCode === null && this.#server.signalCode === null) {
      const ended = new Promise((resolve) => this.#server.once('exit', resolve));
      this.#server.kill('SIGINT');
      await ended;
    }
    await rm(this.address.host, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function findBinaries(): string | undefined {
  if (!existsSync(VERSIONS)) return undefined;
  return readdirSync(VERSIONS)
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => join(VERSIONS, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

async function install(log: (line: string) => void): Promise<string> {
  if (!isRoot()) throw new Error('this test takes PostgreSQL: install the package postgresql');
  await aptInstall(['postgresql'], log);
  const bin = findBinaries();
  if (bin === undefined) throw new Error(`the package postgresql left no initdb below ${VERSIONS}`);
  return bin;
}
