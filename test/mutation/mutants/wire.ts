import { behindTheToken, type ContractMutant } from '../mutant.ts';

const NEVER_USED_AGAIN =
  'a channel that has had a consumer is never used again, and nothing is ever cancelled or acked';
const ONE_PUBLISHES =
  'a connection that carries consumers never publishes, and the one that publishes carries nothing else';

/** Rules about connections, channels and queues: what the broker is asked. */
export const wireMutants: readonly ContractMutant[] = [
  {
    name: 'give up by cancel',
    why: 'A cancelled consumer can keep the unacked token: nobody is granted until its connection dies.',
    edits: [
      {
        file: 'src/protocol/contender/transitions.ts',
        find: "return [{ at: 'closing', epoch, channelId }, [...tell, { do: 'close', channelId }]];",
        replace:
          "return [{ at: 'closing', epoch, channelId }, [...tell, { do: 'close', channelId, by: 'cancel' }]];",
      },
      {
        file: 'src/acquire/contender.ts',
        find: 'this.#channels.get(effect.channelId)?.close();',
        replace: 'this.#channels.get(effect.channelId)?.close(effect.by);',
      },
      {
        file: 'src/rabbitmq/contender-channel.ts',
        find: '  close(): void {',
        replace: '  close(by?: string): void {',
      },
      {
        file: 'src/rabbitmq/contender-channel.ts',
        find: 'this.#channel?.close();',
        replace: "by === 'cancel' ? this.#channel?.cancel(this.#tag) : this.#channel?.close();",
      },
      {
        file: 'src/rabbitmq/channel.ts',
        find: '  requeue(deliveryTag: number): void {',
        replace: `  cancel(tag: string): void {
    quietly(() => void this.#raw.cancel(tag).then(() => this.finish({ scope: 'channel' }), ignore));
  }

  requeue(deliveryTag: number): void {`,
      },
    ],
    caughtBy: {
      harness: 'proxied',
      title: 'giving up and releasing put channel.close on the wire, once for each contender',
    },
  },
  {
    name: 'reuse of a channel',
    why: 'After a dropped link the old consumer of the channel is a waiter again and is handed a token that nobody handles.',
    edits: [
      {
        file: 'src/rabbitmq/contender-channel.ts',
        find: 'this.#channel?.close();',
        replace: 'this.#channel?.recycle(this.#tag);',
      },
      {
        file: 'src/rabbitmq/channel.ts',
        find: '  requeue(deliveryTag: number): void {',
        replace: `  recycle(tag: string): void {
    const raw = this.#raw;
    const used = () => {
      raw.nackAll(true);
      (raw.connection.used ??= []).push(new ConnectionChannel(raw, () => {}));
      this.finish({ scope: 'channel' });
    };
    quietly(() => void raw.cancel(tag).then(used, ignore));
  }

  requeue(deliveryTag: number): void {`,
      },
      {
        file: 'src/rabbitmq/channel-pool.ts',
        find: 'this.#spares.shift();',
        replace: 'this.#connection.dialled.model.connection.used?.shift() ?? this.#spares.shift();',
      },
    ],
    caughtBy: { harness: 'proxied', title: NEVER_USED_AGAIN },
  },
  {
    name: 'publish on the lock connection',
    why: 'Under an alarm the broker stops reading from it: releases stall, and the death of a holder is not noticed.',
    edits: [
      {
        file: 'src/rabbitmq/session.ts',
        find: `    this.#publishers = new ChannelPool(this.#publisher, this.#budget, (connection) =>
      connection.openConfirmChannel(),
    );
    this.#locks = new LockConnections(locks, settings.logger, this.#budget, (own) => keep('locks', own));`,
        replace: `    this.#locks = new LockConnections(locks, settings.logger, this.#budget, (own) => keep('locks', own));
    this.#publishers = new ChannelPool(this.#locks.shared[0], this.#budget, (connection) =>
      connection.openConfirmChannel(),
    );`,
      },
    ],
    caughtBy: { harness: 'proxied', title: ONE_PUBLISHES },
  },
  {
    name: 'publish on the service connection',
    why: 'Under an alarm looks and deletions stall with it, so nobody can try a lock, see its depth or start it over.',
    edits: [
      {
        file: 'src/rabbitmq/session.ts',
        find: 'new ChannelPool(this.#publisher, this.#budget, (connection)',
        replace: 'new ChannelPool(this.#service, this.#budget, (connection)',
      },
    ],
    caughtBy: { harness: 'proxied', title: ONE_PUBLISHES },
  },
  {
    name: 'delivery limit left out',
    why: 'RabbitMQ 4 destroys the token at its 21st return, and every other client is answered 406.',
    edits: [
      {
        file: 'src/protocol/queues.ts',
        find: "    'x-delivery-limit': 1_000_000_000,",
        replace: '',
      },
    ],
    caughtBy: {
      harness: 'proxied',
      title: 'the queue’s arguments are the wire format: a client with the documented ones meets no 406',
    },
  },
  {
    name: 'Nagle on',
    why: 'Small frames wait for the acknowledgement of those before them: 22 hand-offs a second.',
    edits: [{ file: 'src/rabbitmq/amqplib.ts', find: 'noDelay: true,', replace: 'noDelay: false,' }],
    caughtBy: {
      harness: 'proxied',
      title:
        'small frames leave one by one: twenty in twenty turns of the event loop arrive in more than ten reads',
    },
  },
  {
    name: 'prefetch left out',
    why: 'The holder is handed everything that lies behind its token, and loses its lease to the first foreign message.',
    edits: [{ file: 'src/rabbitmq/channel-pool.ts', find: 'await channel.prefetch(1);', replace: '' }],
    caughtBy: { harness: 'rabbitmq', title: behindTheToken('a second seed') },
  },
];
