/**
 * Members of a quorum queue that are not of one history: the queue was deleted and recreated while a node was away, and
 * the node came back with its old member (docs/design/decisions.md). Checked on 3.10.8, 4.0.5 and 4.3.6.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { textsIn } from './erlang.ts';
import type { SiteNode } from './types.ts';

/** What a member says of itself. */
export interface Member {
  readonly node: string;
  readonly leads: boolean;
  /** How many entries of the log it has applied; undefined: it does not run, or did not stand still. */
  readonly applied: number | undefined;
  /** Of what these entries have made: consumers, how many messages, and the first that is ready. */
  readonly digest: string;
  /** Whether it is the member that the queue's record means. Only 4.3 records that: true elsewhere. */
  readonly recorded: boolean;
}

const LOOKS = 40;
const BETWEEN_LOOKS_MS = 250;

/**
 * The nodes whose member of a queue has to be replaced, by queue; all of them where none can be. Every node must be up.
 *
 * Members are compared when they have applied the same number of entries, which those of a queue in use seldom have. So
 * it is looked at for ten seconds, and left out if no look could tell. If they stand still apart for so long, the old
 * member leads and the others refuse its log: that queue does nothing any more. Nothing is said after one look alone: a queue that
 * is just being deleted or declared has members that do not fit together.
 */
export async function strangers(nodes: readonly SiteNode[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const suspected = new Map<string, string>();
  const stood = new Map<string, string | undefined>();
  let unclear: string[] | undefined;
  for (let look = 1; look <= LOOKS && unclear?.length !== 0; look += 1) {
    if (look > 1) await pause(BETWEEN_LOOKS_MS);
    const seen = await membersOf(nodes, unclear);
    unclear = [];
    for (const [queue, members] of seen) {
      const standing = members.map(({ node, applied }) => `${node} ${applied}`).join();
      stood.set(queue, look === 1 || stood.get(queue) === standing ? standing : undefined);
      const hangs = stood.get(queue) === standing && members.some(({ leads }) => leads);
      const wrong =
        strangersAmong(members) ??
        (look < LOOKS - 1 ? undefined : (impossibleAmong(members) ?? (hangs ? namesOf(members) : undefined)));
      if (wrong?.length === 0) continue;
      const names = wrong?.join(' ');
      if (wrong !== undefined && suspected.get(queue) === names) found.set(queue, wrong);
      else unclear.push(queue);
      if (names !== undefined) suspected.set(queue, names);
    }
  }
  return found;
}

/** The nodes of members that cannot be of the history of the others; undefined when this look cannot tell. */
export function strangersAmong(members: readonly Member[]): string[] | undefined {
  const unrecorded = members.filter(({ recorded }) => !recorded);
  if (unrecorded.length > 0) return namesOf(unrecorded);
  const [first] = members;
  if (first?.applied === undefined || members.some(({ applied }) => applied !== first.applied))
    return undefined;
  const { digest } = mostShared(members);
  return namesOf(members.filter((member) => member.digest !== digest));
}

/** The nodes of members that do not run while the leader does, or are ahead of it: healthy ones are so for a moment only. */
export function impossibleAmong(members: readonly Member[]): string[] | undefined {
  const led = members.find(({ leads }) => leads)?.applied;
  if (led === undefined) return undefined;
  const wrong = members.filter(({ applied }) => applied === undefined || applied > led);
  return wrong.length === 0 ? undefined : namesOf(wrong);
}

/** Of two halves that of the leader. */
function mostShared(members: readonly Member[]): Member {
  const votes = ({ digest }: Member): number =>
    members.reduce((sum, it) => sum + (it.digest !== digest ? 0 : it.leads ? 1.5 : 1), 0);
  return members.reduce((most, one) => (votes(one) > votes(most) ? one : most));
}

const namesOf = (members: readonly Member[]): string[] => members.map(({ node }) => node);

const binary = (text: string): string => `<<"${text}">>`;

/** Of all quorum queues, or of these. */
async function membersOf(
  [first]: readonly SiteNode[],
  only: readonly string[] | undefined,
): Promise<Map<string, Member[]>> {
  const wanted = only === undefined ? 'true' : `lists:member(Name, [${only.map(binary).join(', ')}])`;
  const texts = textsIn((await first?.control.eval(SAMPLE.replace('WANTED', wanted))) ?? '');
  const found = new Map<string, Member[]>();
  for (let at = 0; at + 5 < texts.length; at += 6) {
    const [queue = '', node = '', leads, applied, digest = '', recorded] = texts.slice(at, at + 6);
    const member = {
      node,
      leads: leads === 'true',
      applied: applied === 'none' ? undefined : Number(applied),
      digest,
      recorded: recorded === 'true',
    };
    found.set(queue, [...(found.get(queue) ?? []), member]);
  }
  return found;
}

/** Six strings for each member. The leader comes last, so that nobody healthy can be ahead of it. */
const SAMPLE = `
  Look = fun(State) -> try
    #{num_messages := All, num_ready_messages := Ready} = rabbit_fifo:overview(State),
    Consumers = [{element(1, C), element(2, C)} || C <- maps:values(rabbit_fifo:query_consumers(State))],
    {All, Ready, lists:sort(Consumers)}
  catch _:_ -> unreadable end end,
  [[binary_to_list(Name), atom_to_list(Node), atom_to_list(Node =:= Leader)] ++
    case ra:local_query({Raft, Node}, Look, 2000) of
      {ok, {{Applied, _}, Seen}, _} ->
        Head = case catch ra:aux_command({Raft, Node}, {peek, 1}) of {ok, Message} -> Message; _ -> none end,
        case ra:local_query({Raft, Node}, Look, 2000) of
          {ok, {{Applied, _}, Seen}, _} ->
            [integer_to_list(Applied), integer_to_list(erlang:phash2({Seen, Head}, 1 bsl 32))];
          _ -> ["none", "none"]
        end;
      _ -> ["none", "none"]
    end ++ [case {Recorded, rpc:call(Node, ra_directory, uid_of, [quorum_queues, Raft])} of
      {#{Node := Meant}, Uid} when is_binary(Uid) -> atom_to_list(Meant =:= Uid);
      _ -> "true"
    end]
  || Queue <- rabbit_amqqueue:list(), amqqueue:get_type(Queue) =:= rabbit_quorum_queue,
     {_, _, _, Name} <- [amqqueue:get_name(Queue)], WANTED,
     #{nodes := Recorded} <- [amqqueue:get_type_state(Queue)],
     {Raft, _} <- [amqqueue:get_pid(Queue)],
     Nodes <- [if is_map(Recorded) -> maps:keys(Recorded); true -> Recorded end],
     Leaders <- [[L || N <- Nodes, {_, L} <- [rpc:call(N, ra_leaderboard, lookup_leader, [Raft])], L =/= nodedown]],
     {_, Leader} <- [lists:max([{0, nobody} | [{length([x || Other <- Leaders, Other =:= L]), L} || L <- Leaders]])],
     Node <- (Nodes -- [Leader]) ++ [N || N <- Nodes, N =:= Leader]]`;

/** Closes the connections to a node that consume from the queue: the queue need not know of them. */
export async function closeConsumers({ control }: SiteNode, queue: string): Promise<void> {
  await control.eval(`[catch rabbit_networking:close_connection(
      proplists:get_value(connection, rabbit_channel:info(Channel, [connection])), "operator")
    || Row <- ets:tab2list(consumer_created), {{_, _, _, ${binary(queue)}}, Channel, _} <- [element(1, Row)]]`);
}

/**
 * What an operator does about such a member: `rabbitmq-queues delete_member` and `add_member`, and then the
 * connections of those who wait there are closed.
 */
export async function replaceMember(nodes: readonly SiteNode[], queue: string, name: string): Promise<void> {
  const stranger = nodes.find((node) => node.name === name);
  const other = nodes.find((node) => node.name !== name);
  if (stranger === undefined || other === undefined) throw new RangeError(`no ${name} beside another node`);
  const done = await other.control.eval(`
    case rabbit_quorum_queue:delete_member(<<"/">>, ${binary(queue)}, '${name}') of
      ok -> rabbit_quorum_queue:add_member(<<"/">>, ${binary(queue)}, '${name}', 10000);
      Failed -> Failed
    end`);
  if (done !== 'ok') throw new Error(`the member of ${queue} on ${name} was not replaced: ${done}`);
  await closeConsumers(stranger, queue);
}
