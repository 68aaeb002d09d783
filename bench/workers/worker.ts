/** The other process of the bench: one client of one peer, and the contenders that use it. */
import { readAlong } from '../peers/rabbitmq/wire.ts';
import type { Call } from './messages.ts';
import { Work } from './work.ts';

const work = new Work(process.env.BENCH_AMQP === undefined ? undefined : readAlong());

process.on('message', ({ id, method, argument }: Call) => {
  const call = work[method] as (argument: unknown) => unknown;
  Promise.resolve()
    .then(() => call.call(work, argument))
    .then(
      (value) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: error instanceof Error ? error.stack : String(error) }),
    );
});
process.on('disconnect', () => process.exit());
