import { lockQueueName } from '../../../src/protocol/topology.ts';
import { BROKER } from './baton.ts';

/** How many have a place in the line of a lock, its holder included; asked of the broker itself. */
export async function consumersOf(lock: string, namespace = 'default'): Promise<number> {
  if (BROKER.control === undefined) throw new Error('this test asks the broker itself: unset BATON_URL');
  const queue = lockQueueName(namespace, lock);
  const name = `rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)`;
  return Number(
    await BROKER.control.eval(
      `case rabbit_amqqueue:lookup(${name}) of {ok, Q} -> length(rabbit_amqqueue:consumers(Q)); _ -> 0 end`,
    ),
  );
}
