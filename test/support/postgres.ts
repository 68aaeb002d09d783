import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { aptInstall, isRoot } from './broker/debian.ts';
import { askGuard, type Guard, startGuard } from './broker/guard-client.ts';
import { run } from './broker/run.ts';

export interface PostgresAddress {
  /** The folder of the unix socket. */
  readonly host: string;
  readonly user: string;
  readonly database: string;
}

const VERSIONS = '/usr/lib/postgresql';
const INITDB = ['--auth=trust', '--username=test', '--encoding=UTF8', '--locale=C', '--no-sync'];
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;

/** It refuses to run as root. */
const UNPRIVILEGED = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', '--'];

/** A PostgreSQL of our own, from Debian's package: own data, a unix socket and no port. Ends with this process. */
export class Postgres implements AsyncDisposable {
  readonly address: PostgresAddress;
  readonly #guard: Guard;

  private constructor(address: PostgresAddress, guard: Guard) {
    this.address = address;
    this.#guard = guard;
  }

  static async start(log: (line: string) => void = () => {}): Promise<Postgres> {
    const bin = findBinaries() ?? (await install(log));
    const as = isRoot() ? UNPRIVILEGED : [];
    const folder = await mkdtemp(join(tmpdir(), 'batonmq-postgres-'));
    const output = join(folder, 'output.log');
    try {
      if (isRoot()) await run(['chown', 'nobody:nogroup', folder]);
      await chmod(folder, 0o755);
      const data = join(folder, 'data');
      await run([...as, join(bin, 'initdb'), '-D', data, ...INITDB]);
      const settings = [
        'fsync=off',
        'listen_addresses=',
        `unix_socket_directories=${folder}`,
        'max_connections=200',
      ];
      const guard = await startGuard({
        command: [
          ...as,
          join(bin, 'postgres'),
          '-D',
          data,
          ...settings.flatMap((setting) => ['-c', setting]),
        ],
        env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8' },
        folders: [folder],
        socket: join(folder, 'guard.sock'),
        output,
      });
      const postgres = new Postgres({ host: folder, user: 'test', database: 'postgres' }, guard);
      await postgres.#answers().catch(async (error: unknown) => {
        const said = await readFile(output, 'utf8').catch(() => '');
        await guard.stop();
        throw new Error(`PostgreSQL did not start: ${said.slice(-2_000)}`, { cause: error });
      });
      return postgres;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async #answers(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const client = new pg.Client({ ...this.address });
      try {
        await client.connect();
        return;
      } catch (error) {
        if (Date.now() > deadline || (await askGuard(this.#guard.socket, 'state')).pid === null) throw error;
        await pause(100);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  /** Ends the server and removes its data. Idempotent. */
  async stop(): Promise<void> {
    const { pid } = await askGuard(this.#guard.socket, 'state').catch(() => ({ pid: null }));
    // Killed, it would leave a segment of shared memory behind.
    if (pid !== null) process.kill(pid, 'SIGINT');
    for (
      const deadline = Date.now() + STOP_TIMEOUT_MS;
      pid !== null && Date.now() < deadline;
      await pause(50)
    ) {
      if ((await askGuard(this.#guard.socket, 'state')).pid === null) break;
    }
    await this.#guard.stop();
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
  if (!isRoot()) throw new Error('this takes PostgreSQL: install the package postgresql');
  await aptInstall(['postgresql'], log);
  const bin = findBinaries();
  if (bin === undefined) throw new Error(`the package postgresql left no initdb below ${VERSIONS}`);
  return bin;
}
