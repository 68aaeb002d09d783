/** What is asked of a node in Erlang; checked on 3.10.8, 4.0.5 and 4.3.6. */
import { setTimeout as pause } from 'node:timers/promises';
import { waitUntilOpen } from '../../support/broker/probe.ts';
import type { BrokerControl } from '../../support/broker/types.ts';
import type { SiteNode } from './types.ts';

const SHUTDOWN_MS = 60_000;
const WHOLE_MS = 120_000;
const LEADER_MS = 15_000;

export async function shutdown(
  control: BrokerControl,
  pid: () => Promise<number | undefined>,
): Promise<void> {
  await control.eval('init:stop()');
  await until(SHUTDOWN_MS, async () => (await pid()) === undefined, 'the node has stopped');
}

/** `[{<<"queue">>, 'rabbit@n1'}, …]` as a map. The leaderboard knows first; the queue's record is a fallback. */
export async function leaders(control: BrokerControl): Promise<Map<string, string>> {
  const printed = await control.eval(`[begin
      {_, _, queue, Name} = amqqueue:get_name(Queue),
      {Id, Recorded} = amqqueue:get_pid(Queue),
      Node = case ra_leaderboard:lookup_leader(Id) of {_, Leader} -> Leader; _ -> Recorded end,
      [binary_to_list(Name), atom_to_list(Node)]
    end || Queue <- rabbit_amqqueue:list(), amqqueue:get_type(Queue) =:= rabbit_quorum_queue]`);
  const names = textsIn(printed);
  return new Map(names.flatMap((name, index) => (index % 2 === 0 ? [[name, names[index + 1] ?? '']] : [])));
}

/**
 * Resolves when every node is up, runs RabbitMQ, sees the others, and every quorum queue has a leader, with the names of
 * those queues that have none all the same. (A single node of 3.10 or 4.0 that was killed within a second of a queue's
 * declaration never has a leader for it.)
 */
export async function untilWhole(nodes: readonly SiteNode[]): Promise<string[]> {
  const leaderless = new Set<string>();
  for (const { name, url, control } of nodes) {
    await waitUntilOpen(url);
    const isUp = `length([N || N <- [node() | nodes()], rabbit:is_running(N)]) =:= ${nodes.length}`;
    await until(
      WHOLE_MS,
      async () => (await control.eval(isUp).catch(String)) === 'true',
      `${name} sees its peers`,
    );
    let names: string[] = [];
    await until(LEADER_MS, async () => {
      names = textsIn(await control.eval(LEADERLESS));
      return names.length === 0;
    }).catch(() => {});
    for (const queue of names) leaderless.add(queue);
  }
  return [...leaderless];
}

const LEADERLESS = `[binary_to_list(element(4, amqqueue:get_name(Queue))) || Queue <- rabbit_amqqueue:list(),
  amqqueue:get_type(Queue) =:= rabbit_quorum_queue,
  ra_leaderboard:lookup_leader(element(1, amqqueue:get_pid(Queue))) =:= undefined]`;

/** The strings in what Erlang printed; a long one is printed in pieces, one after the other. */
export const textsIn = (printed: string): string[] =>
  [...printed.replace(/"\s+"/g, '').matchAll(/"([^"]*)"/g)].map(([, text]) => text ?? '');

async function until(timeoutMs: number, holds: () => Promise<boolean>, what = 'it is so'): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; !(await holds()); await pause(250)) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms until ${what}`);
  }
}

/** What an operator does about a queue that has no leader and gets none. Takes 5 s: the broker tries to ask it first. */
export async function removeQueue({ control }: SiteNode, queue: string): Promise<void> {
  await control.eval(`case rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)) of
    {ok, Queue} -> catch rabbit_amqqueue:delete(Queue, false, false, <<"operator">>); _ -> absent end`);
}

export async function setEnvironment(control: BrokerControl, key: string, value: number): Promise<void> {
  await control.eval(`application:set_env(rabbit, ${key}, ${value})`);
}
