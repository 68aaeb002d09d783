import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntilOpen } from './probe.ts';
import type { BrokerControl, Permissions, Remote } from './types.ts';

/** RabbitMQ keeps the name of who changed something; it shows in its log. */
const ACTOR = '<<"batonmq-test">>';
const MEMORY = '{resource_limit, memory, node()}';

const quote = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
const bin = (text: string): string => `<<"${quote(text)}"/utf8>>`;

/** Control over a broker by way of Erlang evaluated in it; checked on 3.10, 4.0 and 4.3. */
export class RemoteControl implements BrokerControl {
  readonly #remote: Remote;

  constructor(remote: Remote) {
    this.#remote = remote;
  }

  async ctl(...args: string[]): Promise<string> {
    return this.#remote.ctl(args);
  }

  async eval(erlang: string): Promise<string> {
    const expression = erlang.trim().replace(/\.$/, '');
    // Printed by the node itself and carried as base64: the tools' own printers differ from each other.
    const printed = `unicode:characters_to_binary(io_lib:format("~tp", [begin\n${expression}\nend]))`;
    const raw = await this.#remote.evalRaw(`base64:encode_to_string(${printed}).`);
    if (!/^\s*(\{ok,\s*)?"/.test(raw)) throw new Error(`evaluating ${expression} failed: ${raw.trim()}`);
    // A long string may be printed as several literals, one after the other.
    const base64 = [...raw.matchAll(/"([^"]*)"/g)].map((match) => match[1]).join('');
    return Buffer.from(base64, 'base64').toString('utf8');
  }

  async raiseMemoryAlarm(): Promise<void> {
    // Not by lowering the watermark: that is looked at once a second, and memory use jumps about.
    // get_alarms asks the process that set_alarm only tells, so afterwards every connection has been told.
    await this.#must(`rabbit_alarm:set_alarm({${MEMORY}, []}),
      lists:member({${MEMORY}, []}, rabbit_alarm:get_alarms())`);
  }

  async clearMemoryAlarm(): Promise<void> {
    await this.#must(`rabbit_alarm:clear_alarm(${MEMORY}),
      not lists:member({${MEMORY}, []}, rabbit_alarm:get_alarms())`);
  }

  async restart(): Promise<void> {
    await this.eval('rabbit:stop(), rabbit:start()');
    await waitUntilOpen(this.#remote.url);
  }

  async kill(): Promise<void> {
    await this.#remote.kill();
  }

  async flush(): Promise<void> {
    // Ra keeps the names of its servers in a dets table with delayed saves; seen on 3.10.8, 4.0.5 and 4.3.6.
    await this.eval('[dets:sync(Table) || Table <- dets:all()]');
  }

  async start(): Promise<void> {
    await this.#remote.start();
    await waitUntilOpen(this.#remote.url);
  }

  async addUser(name: string, password: string, permissions: Permissions, vhost = '/'): Promise<void> {
    const { configure, write, read } = permissions;
    await this.#must(`case rabbit_auth_backend_internal:lookup_user(${bin(name)}) of
        {ok, _} -> rabbit_auth_backend_internal:change_password(${bin(name)}, ${bin(password)}, ${ACTOR});
        _ -> rabbit_auth_backend_internal:add_user(${bin(name)}, ${bin(password)}, ${ACTOR})
      end,
      ok = rabbit_auth_backend_internal:set_permissions(${bin(name)}, ${bin(vhost)},
        ${bin(configure)}, ${bin(write)}, ${bin(read)}, ${ACTOR}), true`);
  }

  async addVhost(name: string): Promise<void> {
    await this.#must(`rabbit_vhost:add(${bin(name)}, ${ACTOR}),
      ok = rabbit_auth_backend_internal:set_permissions(<<"guest">>, ${bin(name)},
        <<".*">>, <<".*">>, <<".*">>, ${ACTOR}), true`);
  }

  async deleteVhost(name: string): Promise<void> {
    await this.eval(`rabbit_vhost:delete(${bin(name)}, ${ACTOR})`);
  }

  async setPolicy(
    name: string,
    pattern: string,
    definition: Record<string, unknown>,
    vhost = '/',
  ): Promise<void> {
    await this.#must(`ok = rabbit_policy:parse_set(${bin(vhost)}, ${bin(name)}, ${bin(pattern)},
      ${bin(JSON.stringify(definition))}, 0, <<"queues">>, ${ACTOR}), true`);
  }

  async clearPolicy(name: string, vhost = '/'): Promise<void> {
    await this.#must(`ok = rabbit_policy:delete(${bin(vhost)}, ${bin(name)}, ${ACTOR}), true`);
  }

  async purge(queue: string, vhost = '/'): Promise<void> {
    await this.#must(`{ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(${bin(vhost)}, queue, ${bin(queue)})),
      {ok, _} = rabbit_amqqueue:purge(Queue), true`);
  }

  async closeAllConnections(reason: string): Promise<void> {
    await this.eval(`[catch rabbit_networking:close_connection(Pid, "${quote(reason)}")
      || Pid <- rabbit_networking:connections()]`);
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if ((await this.eval('rabbit_networking:connections()')) === '[]') return;
      await sleep(20);
    }
  }

  async #must(erlang: string): Promise<void> {
    const value = await this.eval(erlang);
    if (value !== 'true') throw new Error(`the broker did not do it: ${erlang} is ${value}`);
  }
}
