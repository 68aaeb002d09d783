/**
 * A little network of its own for a cluster: a namespace per node and one for the switch between them, all without
 * names, held by processes of this one, so that everything vanishes with this process, however it ends.
 *
 *     this machine ──bq…── switch ──── n1
 *     10.x.y.254             ├──────── n2
 *                            └──────── n3   10.x.y.3
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { run } from '../../support/broker/run.ts';
import type { Network } from './types.ts';

/** Runs without end, in a network namespace of its own, and dies with this process. */
interface Keeper {
  readonly child: ChildProcess;
  readonly namespace: string;
}

export class Namespaces implements Network {
  readonly addresses: readonly string[];
  readonly #switch: Keeper;
  readonly #nodes: readonly Keeper[];
  #blocked: (() => Promise<unknown>)[] = [];

  private constructor(gate: Keeper, nodes: readonly Keeper[], addresses: readonly string[]) {
    this.#switch = gate;
    this.#nodes = nodes;
    this.addresses = addresses;
  }

  /** `keeper` is what keeps a node's namespace alive: it runs without end, and is started in it. */
  static async make(count: number, keeper: readonly string[]): Promise<Namespaces> {
    const subnet = await freeSubnet();
    const addresses = Array.from({ length: count }, (_, index) => `${subnet}.${index + 1}`);
    const gate = await keep(['sleep', 'infinity']);
    const nodes: Keeper[] = [];
    const made = new Namespaces(gate, nodes, addresses);
    try {
      const outside = `bq${randomBytes(4).toString('hex')}`;
      await ip(gate, 'link add switch type bridge');
      await ip(gate, 'link set switch up');
      await ip(undefined, `link add ${outside} type veth peer name outside netns ${gate.child.pid}`);
      await ip(undefined, `addr add ${subnet}.254/24 dev ${outside}`);
      await ip(undefined, `link set ${outside} up`);
      await ip(gate, 'link set outside master switch up');
      for (const [index, address] of addresses.entries()) {
        const node = await keep(keeper);
        nodes.push(node);
        await ip(gate, `link add port${index} type veth peer name eth0 netns ${node.child.pid}`);
        await ip(gate, `link set port${index} master switch up`);
        await ip(node, 'link set lo up');
        await ip(node, `addr add ${address}/24 dev eth0`);
        await ip(node, 'link set eth0 up');
      }
      return made;
    } catch (error) {
      await made.stop();
      throw error;
    }
  }

  /** The command line that runs a command in a node's namespace. */
  enter(node: number, command: readonly string[]): string[] {
    return ['nsenter', `--net=${this.#node(node).namespace}`, '--', ...command];
  }

  async cut(node: number): Promise<void> {
    const here = this.#node(node);
    for (const [index, there] of this.#nodes.entries()) {
      if (there === here) continue;
      await this.#block(here, index);
      await this.#block(there, node);
    }
  }

  async isolate(node: number): Promise<void> {
    await ip(this.#switch, `link set port${node} down`);
    this.#blocked.push(() => ip(this.#switch, `link set port${node} up`));
  }

  async heal(): Promise<void> {
    const blocked = this.#blocked;
    this.#blocked = [];
    for (const unblock of blocked) await unblock();
  }

  async stop(): Promise<void> {
    for (const { child } of [...this.#nodes, this.#switch]) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.ref();
      child.kill('SIGKILL');
      await gone;
    }
  }

  #node(index: number): Keeper {
    const keeper = this.#nodes[index];
    if (keeper === undefined) throw new RangeError(`there is no node ${index}`);
    return keeper;
  }

  /** What `from` sends to the node `to` is dropped without a word. */
  async #block(from: Keeper, to: number): Promise<void> {
    await ip(from, `route add blackhole ${this.addresses[to]}/32`);
    this.#blocked.push(() => ip(from, `route del blackhole ${this.addresses[to]}/32`));
  }
}

/** Linux kills it when this process is gone. Its namespace is there when `ip` can be run in it. */
async function keep(command: readonly string[]): Promise<Keeper> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'unshare', '--net', '--', ...command], {
    stdio: 'ignore',
    // A session of its own, out of reach of the terminal's Ctrl-C.
    detached: true,
  });
  child.unref();
  await once(child, 'spawn');
  const keeper = { child, namespace: `/proc/${child.pid}/ns/net` };
  const own = await run(['readlink', '/proc/self/ns/net']);
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (child.exitCode !== null) break;
    if ((await run(['readlink', keeper.namespace])) !== own) return keeper;
    await pause(10);
  }
  throw new Error(
    'no network namespace could be made: this takes root, and the iproute2 and util-linux tools',
  );
}

async function ip(where: Keeper | undefined, command: string): Promise<string> {
  const enter = where === undefined ? [] : ['nsenter', `--net=${where.namespace}`, '--'];
  return run([...enter, 'ip', ...command.split(' ')], { timeoutMs: 10_000 });
}

/** `10.x.y`, which nothing on this machine has a route to. */
async function freeSubnet(): Promise<string> {
  const routes = await run(['ip', '-4', 'route']);
  for (;;) {
    const subnet = `10.${randomInt(200, 255)}.${randomInt(0, 256)}`;
    if (!routes.includes(`${subnet}.`)) return subnet;
  }
}
